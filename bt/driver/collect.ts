import { setTimeout as sleep } from 'node:timers/promises';
import type { Ending, Facts, LiveThread, MappingTexts } from '../../metrics/facts.ts';
import type { IdleMatch } from '../../metrics/idle.ts';
import { newSampler } from '../../metrics/sample.ts';
import type { Sample } from '../../metrics/schema.ts';
import type { Symbols } from '../../metrics/symbols.ts';
import type { Recording } from '../../parsers/recording.ts';
import { timesCalls } from '../compose.ts';
import { BtprofError } from '../errors.ts';
import type { Follow } from '../tracking.ts';
import { endingOf, followed } from './ending.ts';
import { resumeShouldWeDie } from './entry.ts';
import { watchCpuTime } from './footprint.ts';
import type { HeldTarget } from './held-target.ts';
import type { MappingCache } from './mappings.ts';
import { type ProgramTiming, timePrograms } from './program-time.ts';
import { openSession, type Session, type SessionOptions } from './session.ts';
import { takeOverAtEntry } from './take-over.ts';
import { isAlive, liveThreads, nameThreads, threadsOf, userProcesses, withStacks } from './threads.ts';
import type { ProgramRuns } from './tracer.ts';
import { type Hold, unwindsDwarf } from './unwind.ts';

/** What is profiled. */
export type Subject =
  | {
      readonly kind: 'run';
      readonly target: HeldTarget;
      readonly cmd: readonly string[];
      readonly executable: string;
    }
  | { readonly kind: 'attach'; readonly pids: readonly number[] }
  | { readonly kind: 'system' };

export interface CollectOptions
  extends Pick<
    SessionOptions,
    | 'plan'
    | 'host'
    | 'dialect'
    | 'bpftrace'
    | 'dwarfPids'
    | 'lines'
    | 'symbolCache'
    | 'onTracer'
    | 'keeper'
    | 'debug'
  > {
  readonly subject: Subject;
  /** How the command is held to be unwound by DWARF. */
  readonly hold?: Hold | undefined;
  /** What the user says of which waits are idle. */
  readonly idle?: readonly IdleMatch[];
  /** Whether the kernel is to time our programs. */
  readonly selfMeasure: boolean;
  /** btprof's own version. */
  readonly version: string;
  /** Resolves when the user asks for the result now. */
  readonly stop: Promise<void>;
  /** Ran as soon as the collection has begun. */
  readonly onStart: (facts: Facts) => void;
  readonly onSample: (sample: Sample, mappings: MappingTexts) => void;
}

/** Everything `assembleProfile` needs. */
export interface Collection {
  readonly recording: Recording;
  readonly facts: Facts;
  readonly ending: Ending;
  readonly symbols: Symbols;
  /** Why bpftrace ended by itself; undefined when it did not. */
  readonly failure: BtprofError | undefined;
  /** Ends bpftrace, which has no more to say; the kernel takes up to a second to let go of its probes. */
  readonly close: () => Promise<void>;
}

/**
 * Runs one bpftrace on one program from before the subject starts, or is named, until it ends.
 *
 * @throws BtprofError when no figures could be collected at all
 */
export async function collect(options: CollectOptions): Promise<Collection> {
  const { subject, hold, stop, debug } = options;
  const takeSample = newSampler(options.onSample, options.idle);
  let facts: Facts | undefined;
  const sessionOptions = {
    ...options,
    follow: followOf(options),
    threads: threadsAt(subject),
    giveUp: subject.kind === 'run' ? Promise.race([stop, subject.target.exited]) : stop,
    onTick: (recording: Recording, mappings: MappingCache, symbols: Symbols) =>
      facts && takeSample({ recording, facts, mappings: mappings.texts(), symbols }),
  };
  // Before there is a program: to start a process asks it for its maps.
  const held = hold && subject.kind === 'run' ? subject.target : undefined;
  const dismiss = held && resumeShouldWeDie(held.pid);
  let timing: Promise<ProgramTiming> | undefined;
  const first = await openSession({
    ...sessionOptions,
    onTracer: (tracer) => {
      options.onTracer(tracer);
      if (options.selfMeasure) timing = timePrograms();
    },
  });
  const timed = await timing;
  const runs = first.programRuns();
  const cpuTime = options.selfMeasure ? watchCpuTime(first.tracer.pid) : undefined;
  const began = performance.now();
  facts = { ...factsOf(options, first), named: begin(first, subject, timed) };
  options.onStart(facts);
  const next = hold && held ? await takeOverAtEntry(first, held, hold, sessionOptions) : 'not needed';
  const broken = next instanceof BtprofError ? next : undefined;
  const session = broken || typeof next === 'string' ? first : (next as Session);
  if (session !== first) facts = { ...facts, dwarfPids: facts.pids, dwarfGeneration: 2 };
  const cause = broken ? 'tracer' : await endOf(options, session);
  debug(`collection ended by ${cause}`);
  const result = await finished(options, session, {
    facts,
    cause,
    began,
    broken,
    byDwarf: next !== 'not needed',
    timed: timed && timed.problem === undefined ? runs : undefined,
    untimed: timed?.problem,
    cpuTime,
  });
  timed?.stop();
  const close = async () => {
    await result.close();
    dismiss?.();
  };
  return { ...result, close };
}

interface Ended {
  readonly facts: Facts;
  readonly cause: Cause;
  /** By our own clock, ms. */
  readonly began: number;
  /** Whether the command was to be unwound by DWARF. */
  readonly byDwarf: boolean;
  /** Why it could not go on. */
  readonly broken: BtprofError | undefined;
  readonly timed: ProgramRuns | undefined;
  readonly untimed: string | undefined;
  /** What btprof and a bpftrace have used of the CPUs since, ns; undefined when that was not asked for. */
  readonly cpuTime: ((tracer: number) => number) | undefined;
}

/** Takes the result of a session whose collection has ended. */
async function finished(
  options: CollectOptions,
  session: Session,
  { facts, cause, began, broken, cpuTime, ...how }: Ended,
): Promise<Collection> {
  const { subject, debug } = options;
  const { tracer, recording, symbols } = session;
  if (subject.kind === 'run' && cause === 'subject') await drain(recording, subject.target.pid);
  // Before the maps are printed: that takes its time, and who exits meanwhile is in no event.
  const looked = performance.now();
  const alive = liveThreads(followed(recording, facts, subject));
  const { length: exitsBefore } = recording.exits;
  const cpuNs = cpuTime?.(tracer.pid);
  const stopped = cause === 'tracer' ? performance.now() : await session.printMaps();
  const aliveAgeNs = Math.ceil((stopped - looked) * 1e6);
  const failure = broken ?? (recording.end === undefined ? await diedMidway(session) : undefined);
  const elapsedNs = Math.round((performance.now() - began) * 1e6);
  const ending = {
    ...(await endingOf(options, session, facts, {
      ...how,
      elapsedNs,
      cpuNs,
      failure,
      alive: without(alive, recording.exits.slice(exitsBefore)),
    })),
    aliveAgeNs,
  };
  for (const remark of tracer.remarks()) debug(`bpftrace: ${remark}`);
  const close = async () => {
    tracer.kill();
    await tracer.ended;
  };
  return { recording, facts, ending, symbols, failure, close };
}

/** Those that had not exited. */
function without(threads: readonly LiveThread[], exits: Recording['exits']): LiveThread[] {
  const gone = new Set(exits.map(({ pid, tid }) => `${pid}:${tid}`));
  return threads.filter(({ pid, tid }) => !gone.has(`${pid}:${tid}`));
}

function followOf({ subject, hold, plan: { children } }: CollectOptions): Follow {
  if (subject.kind === 'run') {
    return {
      kind: 'held',
      pid: subject.target.pid,
      execs: subject.target.execs,
      children,
      entry: hold?.entry,
    };
  }
  return { kind: 'named', by: process.pid, children };
}

/** How many threads are there to be followed already. */
function threadsAt(subject: Subject): number {
  if (subject.kind === 'run') return 0;
  const pids = subject.kind === 'attach' ? subject.pids : userProcesses();
  return pids.reduce((sum, pid) => sum + threadsOf(pid).length, 0);
}

/** The collection begins now. */
function factsOf(
  { subject, plan, host, dialect, dwarfPids, version }: CollectOptions,
  { room, limits }: Session,
): Facts {
  return {
    mode: subject.kind,
    pids: subject.kind === 'run' ? [subject.target.pid] : subject.kind === 'attach' ? subject.pids : [],
    cmd: subject.kind === 'run' ? subject.cmd : [],
    executable: subject.kind === 'run' ? subject.executable : null,
    t0Ms: Date.now(),
    host: host.info,
    btprof: version,
    bpftrace: dialect.version,
    profilers: plan.profilers.map((p) => p.name),
    stacks: plan.stacks,
    btf: host.btf,
    dwarfPids,
    dwarfGeneration: 1,
    syscallTimes: timesCalls(plan),
    stackDepth: limits.stackDepth,
    unwindsDwarf: unwindsDwarf(dialect, host.info.arch),
    room,
    named: [],
  };
}

/**
 * Lets the command go, or names the threads that run already.
 *
 * @returns the threads named
 */
function begin({ tracer, mappings }: Session, subject: Subject, timing?: ProgramTiming): LiveThread[] {
  if (subject.kind === 'run') {
    subject.target.release();
    return [];
  }
  const ours = [process.pid, tracer.pid, timing?.pid];
  const named = nameThreads(
    subject.kind === 'attach'
      ? () => subject.pids
      : () => userProcesses().filter((pid) => !ours.includes(pid)),
  );
  for (const pid of new Set(named.map((thread) => thread.pid))) void mappings.read(pid, 1);
  return withStacks(named); // after all have been named: each wait counts from there
}

/** What ended a collection. */
type Cause = 'subject' | 'duration' | 'stop' | 'tracer';

/** Waits for whatever ends the collection. */
function endOf(options: CollectOptions, { tracer }: Session): Promise<Cause> {
  const { subject, plan } = options;
  return Promise.race([
    subjectEnd(subject).then(() => 'subject' as const),
    ...(plan.durationMs === undefined ? [] : [sleep(plan.durationMs, 'duration' as const)]),
    stopOf(options),
    tracer.ended.then(() => 'tracer' as const),
  ]);
}

const POLL_MS = 100;

async function subjectEnd(subject: Subject): Promise<void> {
  if (subject.kind === 'run') await subject.target.exited;
  else if (subject.kind === 'attach') while (subject.pids.some(isAlive)) await sleep(POLL_MS);
  else await new Promise(() => undefined);
}

/** How long the command may go on after Ctrl-C, which it gets too, before the collection ends without it. */
const GRACE_MS = 1000;

async function stopOf({ stop, subject }: CollectOptions): Promise<'stop' | 'subject'> {
  await stop;
  if (subject.kind !== 'run') return 'stop';
  return Promise.race([
    subject.target.exited.then(() => 'subject' as const),
    sleep(GRACE_MS, 'stop' as const),
  ]);
}

/** How long to wait for the kernel's word that the command has exited. */
const DRAIN_MS = 250;
/** The buffers of other CPUs are read in the same round, but after. */
const DRAIN_MORE_MS = 10;

/** The exit that we saw is on its way to us as an event, with all that came before it. */
async function drain(recording: Recording, pid: number): Promise<void> {
  const deadline = performance.now() + DRAIN_MS;
  const left = () => recording.exits.some((e) => e.tid === pid);
  while (!left() && performance.now() < deadline) await sleep(1);
  await sleep(DRAIN_MORE_MS);
}

async function diedMidway({ tracer }: Session): Promise<BtprofError> {
  const { code, signal } = await tracer.ended;
  return new BtprofError(
    `bpftrace ended ${signal ? `by ${signal}` : `with status ${code}`} in the middle, and took its counts with it.`,
    'With --format jsonl --interval TIME, what it had printed until then is in the result.',
  );
}
