import { totalmem } from 'node:os';
import { BtprofError } from '../../metrics/errors.ts';
import type { StreamLine } from '../../parsers/stream.ts';
import { composeMaps, composeProgram, type Plan } from '../compose.ts';
import { kernelBytes, type Limits, limitsFor, roomOf, type SizingInput } from '../limits.ts';
import type { Host } from './host.ts';
import { type Milestones, newMilestones } from './milestones.ts';
import { type MapPrint, printMaps } from './print-maps.ts';
import { comes, longestSilenceMs } from './silence.ts';
import type { Scope } from './target.ts';
import { explainFailure, type ProgramRuns, startTracer, type Tracer } from './tracer.ts';

/** The handlers for the lines and messages of a session. */
export interface SessionEvents {
  /** Reads a line of bpftrace. */
  readonly read: (text: string) => StreamLine;
  readonly debug: (text: string) => void;
}

/** A bpftrace that was started. */
export interface StartedSession {
  readonly tracer: Tracer;
  /**
   * Waits until every probe is live.
   *
   * @param giveUp resolves with the reason when waiting is pointless: after Ctrl-C, or if the held process has ended
   * @throws BtprofError if bpftrace ends first, or that reason
   */
  readonly live: (giveUp: Promise<BtprofError>) => Promise<Session>;
}

/** A bpftrace whose probes are live. */
export interface Session {
  readonly tracer: Tracer;
  readonly limits: Limits;
  /** Maximum entries of each map. It is less than in `limits` if a wrapper does not pass on the environment. */
  readonly mapEntries: number;
  /** Maximum keys of each BPF map. */
  readonly room: Readonly<Record<string, number>>;
  /** Resolves when the command is stopped at its entry. */
  readonly entered: Promise<void>;
  /** How often the BPF programs ran, and for how long. */
  readonly programRuns: () => ProgramRuns;
  /** Makes the program print all its maps, once. Resolves when they are read, or bpftrace has ended. */
  readonly printMaps: () => Promise<MapPrint>;
}

/** Starts a bpftrace for a plan. */
export async function startSession(
  plan: Plan,
  host: Host,
  scope: Scope,
  events: SessionEvents,
): Promise<StartedSession> {
  const { debug } = events;
  const { program, limits, roomFor } = prepareProgram(plan, host, scope);
  debug(`program:\n${program}`);
  debug(`limits: ${JSON.stringify(limits)}`);
  const milestones = newMilestones();
  const started = performance.now();
  const tracer = await startTracer(host, program, limits, scope, (text) => {
    const line = events.read(text);
    if (line.kind === 'event') milestones.reach(line.event.type);
  });
  const live = async (giveUp: Promise<BtprofError>): Promise<Session> => {
    await untilReady(tracer, milestones, giveUp, limits.mapEntries);
    debug(`probes live after ${Math.round(performance.now() - started)} ms`);
    const mapEntries = tracer.mapEntries() ?? limits.mapEntries;
    let print: Promise<MapPrint> | undefined;
    return {
      ...{ tracer, limits, mapEntries, room: roomFor(mapEntries) },
      entered: milestones.reached('entry'),
      programRuns: tracer.programRuns,
      printMaps: () => {
        print ??= printMaps(tracer, milestones, mapEntries, debug);
        return print;
      },
    };
  };
  return { tracer, live };
}

function prepareProgram(plan: Plan, host: Host, { follow, dwarfPids, threads }: Scope) {
  const { dialect, info, btf, seccomp, possibleCpus } = host;
  const context = { dialect, arch: info.arch, btf, seccomp, follow, dwarfPids, self: process.pid };
  const input = {
    maps: composeMaps(plan, context),
    stackStore: dialect.stackStore,
    statsSlots: dialect.statsSlots,
    stackDepth: plan.stackDepth,
    memoryBytes: Math.min(totalmem(), process.constrainedMemory() || Infinity),
    cpus: possibleCpus,
    threads,
    mapEntries: plan.mapEntries,
  };
  const limits = limitsFor(input);
  requireMemory(input, limits);
  const program = composeProgram({ ...plan, stackDepth: limits.stackDepth }, context);
  return { program, limits, roomFor: (mapEntries: number) => roomOf(input, { ...limits, mapEntries }) };
}

/** Maximum share of memory. Beyond it, the kernel may fail only after minutes and hang the host. */
const MOST_MEMORY = 0.5;

function requireMemory(input: SizingInput, limits: Limits): void {
  const bytes = kernelBytes(input, limits);
  if (bytes < MOST_MEMORY * input.memoryBytes) return;
  const [needed, available] = [bytes, input.memoryBytes].map((n) => `${(n / 1e9).toFixed(1)} GB`);
  const { mapEntries } = limitsFor({ ...input, mapEntries: undefined });
  throw new BtprofError(
    `kernel maps of ${limits.mapEntries} entries need ${needed} of memory, and this host has ${available}.`,
    `Without --map-entries, they have ${mapEntries} entries.`,
  );
}

function neverReady(silenceMs: number): BtprofError {
  return new BtprofError(
    `bpftrace printed nothing for ${Math.round(silenceMs / 1000)} s before its probes were live, and was killed.`,
    'Type: btprof ... --debug. It shows the program and everything that bpftrace wrote.',
  );
}

async function untilReady(
  tracer: Tracer,
  milestones: Milestones,
  giveUp: Promise<BtprofError>,
  mapEntries: number,
): Promise<void> {
  const ready = milestones.reached('ready').then(() => 'ready' as const);
  const event = Promise.race([ready, tracer.ended, giveUp]);
  const silenceMs = longestSilenceMs(mapEntries);
  const state = (await comes(event, tracer, silenceMs)) ? await event : neverReady(silenceMs);
  if (state === 'ready') return;
  if (!(state instanceof BtprofError)) throw explainFailure(state, tracer.remarks());
  tracer.kill();
  await tracer.ended;
  throw state;
}
