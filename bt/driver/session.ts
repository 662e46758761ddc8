import { totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { BtprofError, interrupted } from '../../metrics/errors.ts';
import type { StreamLine } from '../../parsers/stream.ts';
import { composeMaps, composeProgram, type Plan } from '../compose.ts';
import { kernelBytes, type Limits, limitsFor, roomOf, type SizingInput } from '../limits.ts';
import { ASKING } from '../program.ts';
import type { Host } from './host.ts';
import { type Milestones, newMilestones } from './milestones.ts';
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
   * @param giveUp settles when waiting is pointless: after Ctrl-C, or if the held process has ended
   * @throws BtprofError if bpftrace ends first, or with status 130 after `giveUp`
   */
  readonly live: (giveUp: Promise<unknown>) => Promise<Session>;
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
  /**
   * Makes the program print all its maps. Resolves when they were read or bpftrace has ended. The value is the time at
   * which printing began, in ms of btprof's own clock.
   */
  readonly printMaps: () => Promise<number>;
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
  let lines = 0;
  const tracer = await startTracer(host, program, limits, scope, (text) => {
    lines++;
    const line = events.read(text);
    if (line.kind === 'event') milestones.reach(line.event.type);
  });
  const live = async (giveUp: Promise<unknown>): Promise<Session> => {
    await untilReady(tracer, milestones, giveUp);
    debug(`probes live after ${Math.round(performance.now() - started)} ms`);
    const mapEntries = tracer.mapEntries() ?? limits.mapEntries;
    return {
      ...{ tracer, limits, mapEntries, room: roomFor(mapEntries) },
      entered: milestones.reached('entry'),
      programRuns: tracer.programRuns,
      printMaps: () => printMaps(tracer, milestones, () => lines, debug),
    };
  };
  return { tracer, live };
}

function prepareProgram(plan: Plan, host: Host, { follow, dwarfPids, threads }: Scope) {
  const { dialect, info, btf, possibleCpus } = host;
  const context = { dialect, arch: info.arch, btf, follow, dwarfPids, self: process.pid };
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

async function untilReady(tracer: Tracer, milestones: Milestones, giveUp: Promise<unknown>): Promise<void> {
  const state = await Promise.race([
    milestones.reached('ready').then(() => 'ready' as const),
    tracer.ended,
    giveUp.then(() => 'given up' as const),
  ]);
  if (state === 'ready') return;
  if (state !== 'given up') throw explainFailure(state, tracer.remarks());
  tracer.kill();
  await tracer.ended;
  throw interrupted();
}

/** How long bpftrace may print other lines before it prints the maps. */
const BUSY_MS = 30_000;
/** How often to check for new lines before giving up: bpftrace may be silent for 3 s. */
const SILENT_POLLS = 30;
const POLL_MS = 100;

/**
 * The program prints its maps when btprof starts a process under a certain name. If that event is lost, bpftrace prints
 * the maps when it ends. On a busy machine it may have to print many lines first.
 */
async function printMaps(
  tracer: Tracer,
  milestones: Milestones,
  lines: () => number,
  debug: (text: string) => void,
): Promise<number> {
  askForMaps();
  const hasBegun = await printBegins(tracer, milestones, lines);
  const stopped = performance.now();
  if (hasBegun) {
    await Promise.race([milestones.reached('end'), tracer.ended]);
    return stopped;
  }
  debug('the program did not notice that it should stop; interrupting bpftrace');
  tracer.interrupt();
  await tracer.ended;
  return stopped;
}

/** Waits until the program begins to print or bpftrace ends; false if bpftrace stays silent. */
async function printBegins(tracer: Tracer, milestones: Milestones, lines: () => number): Promise<boolean> {
  const begins = Promise.race([milestones.reached('stop'), tracer.ended]).then(() => true);
  const deadline = performance.now() + BUSY_MS;
  for (let silent = 0; silent < SILENT_POLLS && performance.now() < deadline; ) {
    const before = lines();
    if (await Promise.race([begins, sleep(POLL_MS, false)])) return true;
    silent = lines() === before ? silent + 1 : 0;
  }
  return false;
}

/** Starts a process under that name: the kernel gives a new process the name of its parent. */
function askForMaps(): void {
  const { title } = process;
  process.title = ASKING;
  void execa('/bin/sh', ['-c', ':'], { stdio: 'ignore', reject: false, cleanup: false });
  process.title = title;
}
