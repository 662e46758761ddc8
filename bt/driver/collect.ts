import { setTimeout as sleep } from 'node:timers/promises';
import type { Ending, Facts, MappingTexts, NamedThread } from '../../metrics/facts.ts';
import { assembleSample, type Earlier } from '../../metrics/sample.ts';
import type { Sample } from '../../metrics/schema.ts';
import type { Symbols } from '../../metrics/symbols.ts';
import { startOf } from '../../metrics/threads.ts';
import type { Recording } from '../../parsers/recording.ts';
import { BtprofError } from '../errors.ts';
import type { Entry, Follow } from '../tracking.ts';
import { resumeShouldWeDie } from './entry.ts';
import type { HeldTarget } from './held-target.ts';
import type { MappingCache } from './mappings.ts';
import { openSession, type Session, type SessionOptions } from './session.ts';
import { isAlive, liveThreads, nameThreads, threadsOf, userProcesses } from './threads.ts';
import { unwindsDwarf } from './unwind.ts';

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
    | 'onLine'
    | 'debug'
  > {
  readonly subject: Subject;
  /** Where the command is held to be unwound by DWARF. */
  readonly entry?: Entry | undefined;
  /** btprof's own version. */
  readonly version: string;
  /** Resolves when the user asks for the result now. */
  readonly stop: Promise<void>;
  /** Ran as soon as the collection has begun. */
  readonly onStart: (facts: Facts) => void;
  readonly onSample: (sample: Sample) => void;
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
  const { subject, entry, stop, debug } = options;
  const takeSample = sampler(options.onSample);
  let facts: Facts | undefined;
  const sessionOptions = {
    ...options,
    follow: followOf(options),
    threads: threadsAt(subject),
    giveUp: subject.kind === 'run' ? Promise.race([stop, subject.target.exited]) : stop,
    onTick: (recording: Recording, mappings: MappingCache, symbols: Symbols) =>
      facts && takeSample(recording, facts, mappings.texts(), symbols),
  };
  // Before there is a program: to start a process asks it for its maps.
  const dismiss = entry && subject.kind === 'run' ? resumeShouldWeDie(subject.target.pid) : undefined;
  const first = await openSession(sessionOptions);
  const began = performance.now();
  facts = { ...factsOf(options, first.room), named: begin(first, subject) };
  options.onStart(facts);
  const takenOver = await takeOverAtEntry(first, sessionOptions);
  dismiss?.();
  if (takenOver && subject.kind === 'run')
    facts = { ...facts, dwarfPids: [subject.target.pid], dwarfGeneration: 2 };
  const session = takenOver ?? first;
  const { tracer, recording, symbols } = session;
  const cause = await endOf(options, session);
  debug(`collection ended by ${cause}`);
  if (subject.kind === 'run' && cause === 'subject') await drain(recording, subject.target.pid);
  if (cause !== 'tracer') await session.printMaps();
  const failure = recording.end === undefined ? await diedMidway(session) : undefined;
  const elapsedNs = Math.round((performance.now() - began) * 1e6);
  const ending = { ...(await endingOf(options, session, facts, failure)), elapsedNs };
  for (const remark of tracer.remarks()) debug(`bpftrace: ${remark}`);
  const close = async () => {
    tracer.kill();
    await tracer.ended;
  };
  return { recording, facts, ending, symbols, failure, close };
}

/**
 * bpftrace reads unwind tables when it starts, and only a program that runs has any. So the command is stopped at its
 * entry, when its libraries are loaded, and a second bpftrace that knows them goes on. Nothing is lost or counted twice,
 * for nothing happens in between.
 *
 * @returns undefined when the command is not to be held, or ended before
 */
async function takeOverAtEntry(
  first: Session,
  options: SessionOptions & CollectOptions,
): Promise<Session | undefined> {
  const { subject, entry, plan } = options;
  if (subject.kind !== 'run' || !entry) return undefined;
  const held = first.entered.then(() => true);
  if (!(await Promise.race([held, options.giveUp.then(() => false), first.tracer.ended.then(() => false)])))
    return undefined;
  const { pid } = subject.target;
  try {
    await first.printMaps();
    const skipped = first.skippedRuns();
    first.tracer.kill();
    const second = await openSession({
      ...options,
      follow: { kind: 'named', by: process.pid, children: plan.children, stopped: true },
      threads: 1,
      dwarfPids: [pid],
      continues: { ...first, skippedRuns: () => skipped },
    });
    nameThreads(() => [pid]);
    return second;
  } finally {
    subject.target.signal('SIGCONT');
  }
}

/** Makes a sample of each print: what the maps hold now, less what they held at the one before. */
function sampler(onSample: (sample: Sample) => void) {
  let before: Earlier | undefined;
  return (recording: Recording, facts: Facts, mappings: MappingTexts, symbols: Symbols) => {
    if (recording.tick === undefined) return;
    const earlier = before ?? { maps: new Map(), at: startOf(recording, facts) };
    onSample(assembleSample(recording, earlier, facts, mappings, symbols));
    before = { maps: new Map(recording.maps), at: recording.tick };
  };
}

function followOf({ subject, entry, plan: { children } }: CollectOptions): Follow {
  if (subject.kind === 'run') {
    return { kind: 'held', pid: subject.target.pid, execs: subject.target.execs, children, entry };
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
  room: Facts['room'],
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
    dwarfPids,
    dwarfGeneration: 1,
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
function begin({ tracer, mappings }: Session, subject: Subject): NamedThread[] {
  if (subject.kind === 'run') {
    subject.target.release();
    return [];
  }
  const ours = [process.pid, tracer.pid];
  const named = nameThreads(
    subject.kind === 'attach'
      ? () => subject.pids
      : () => userProcesses().filter((pid) => !ours.includes(pid)),
  );
  for (const pid of new Set(named.map((thread) => thread.pid))) void mappings.read(pid, 1);
  return named;
}

/** Waits for whatever ends the collection. */
function endOf(
  options: CollectOptions,
  { tracer }: Session,
): Promise<'subject' | 'duration' | 'stop' | 'tracer'> {
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

/** What has to be read before the processes go. */
async function endingOf(
  options: CollectOptions,
  session: Session,
  facts: Facts,
  failure: BtprofError | undefined,
): Promise<Omit<Ending, 'elapsedNs'>> {
  const { subject } = options;
  const { recording, mappings } = session;
  const named = new Set(facts.named.map((thread) => thread.tid));
  const alive = liveThreads(followed(recording, facts, subject), named);
  await mappings.close();
  return {
    exit: subject.kind === 'run' ? subject.target.exit() : null,
    incomplete: failure !== undefined,
    alive,
    mappings: mappings.texts(),
    perfMaps: [...pidsOf(recording, facts)].filter(session.perfMaps.has),
    skippedRuns: session.skippedRuns(),
    warnings: warnings(options, session, failure),
  };
}

/** Processes that were followed. */
function pidsOf(recording: Recording, facts: Facts): Set<number> {
  const events = [...facts.named, ...recording.execs, ...recording.forks];
  return new Set(events.map(({ pid }) => pid));
}

/** Those that may be alive. */
function followed(recording: Recording, facts: Facts, subject: Subject): ReadonlySet<number> {
  const pids = pidsOf(recording, facts);
  for (const { pid } of recording.exits) if (threadsOf(pid).length === 0) pids.delete(pid);
  if (subject.kind === 'run' && recording.execs.length > 0) pids.add(subject.target.pid);
  return pids;
}

function warnings(
  { dialect, host, plan, entry }: CollectOptions,
  { mappings, recording, limits, mapEntries }: Session,
  failure: BtprofError | undefined,
): string[] {
  const forgotten = mappings.forgotten();
  const counts32bit = plan.profilers.some((p) => p.name === 'syscalls');
  return [
    ...dialect.warnings,
    ...(failure ? [failure.message] : []),
    ...(mapEntries === limits.mapEntries
      ? []
      : [
          `kernel maps have ${mapEntries} entries and not ${limits.mapEntries}: does the command given to --bpftrace pass BPFTRACE_* variables on?`,
        ]),
    ...(plan.stacks && limits.stackDepth < plan.stackDepth
      ? [`stacks are cut at ${limits.stackDepth} frames, for this host has too little memory for more`]
      : []),
    ...(entry && recording.entry === undefined
      ? ['stacks are unwound by frame pointers, for the entry of the program was not seen']
      : []),
    ...(forgotten
      ? [`the mappings of ${forgotten} processes were forgotten: their frames have no module`]
      : []),
    ...(host.btf || !counts32bit ? [] : ['without BTF, 32-bit system calls cannot be told from 64-bit ones']),
    ...recording.quality.reasons.map((reason) => `a line of bpftrace could not be read: ${reason}`),
  ];
}
