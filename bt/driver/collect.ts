import { totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { assembleSample, type Ending, type Facts } from '../../metrics/profile.ts';
import type { Sample } from '../../metrics/schema.ts';
import { newRecording, type Recording, recordLine } from '../../parsers/recording.ts';
import { composeProgram, type Plan } from '../compose.ts';
import type { Dialect } from '../dialect.ts';
import { BtprofError } from '../errors.ts';
import type { Follow } from '../tracking.ts';
import type { HeldTarget } from './held-target.ts';
import type { Host } from './host.ts';
import { mapEntries } from './limits.ts';
import { type MappingCache, newMappingCache } from './mappings.ts';
import { isAlive, liveThreads, nameThreads, threadsOf, userProcesses } from './threads.ts';
import { explainFailure, startTracer, type Tracer, type TracerEnd } from './tracer.ts';

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

export interface CollectOptions {
  readonly plan: Plan;
  readonly subject: Subject;
  readonly host: Host;
  readonly dialect: Dialect;
  /** The bpftrace command. */
  readonly bpftrace: string;
  readonly version: string;
  /** Resolves when the user asks for the result now. */
  readonly stop: Promise<void>;
  /** Ran with the facts as soon as the probes are live. */
  readonly onReady?: (facts: Facts) => void;
  readonly onSample?: (sample: Sample) => void;
  readonly onTracer?: (tracer: Tracer) => void;
  readonly debug: (text: string) => void;
}

/** Everything `assembleProfile` needs. */
export interface Collection {
  readonly recording: Recording;
  readonly facts: Facts;
  readonly ending: Ending;
  /** Why bpftrace ended by itself; undefined when it did not. */
  readonly failure: BtprofError | undefined;
}

/** How long the command may go on after Ctrl-C, which it gets too, before the collection ends without it. */
const GRACE_MS = 1000;
/** How long to wait for the kernel's word that the command has exited: it drops what is queued when stopped. */
const DRAIN_MS = 250;
/** The buffers of other CPUs are read in the same round, but after. */
const DRAIN_MORE_MS = 15;
const POLL_MS = 100;

/**
 * Runs one bpftrace on one program from before the subject starts, or is named, until it ends.
 *
 * @throws BtprofError when no figures could be collected at all
 */
export async function collect(options: CollectOptions): Promise<Collection> {
  const session = await arm(options);
  const { subject, plan } = options;
  const { tracer, facts, recording, mappings } = session;
  const named = begin(session, subject);
  options.onReady?.(facts);

  const cause = await Promise.race([
    subjectEnd(subject).then(() => 'subject' as const),
    ...(plan.durationMs === undefined ? [] : [sleep(plan.durationMs, 'duration' as const, { ref: true })]),
    stopOf(options),
    tracer.ended.then(() => 'tracer' as const),
  ]);
  options.debug(`collection ended by ${cause}`);
  if (subject.kind === 'run' && cause === 'subject') await drain(recording, subject.target.pid);
  await mappings.close();
  const alive = liveThreads(followed(recording, named, options), new Set(named.keys()));
  if (cause !== 'tracer') tracer.stop();
  const endNs = monotonicNs();
  const end = await tracer.ended;
  for (const remark of end.remarks) options.debug(`bpftrace: ${remark}`);

  const failure = cause === 'tracer' || recording.end === undefined ? diedMidway(end) : undefined;
  const exit = subject.kind === 'run' ? await exitSoFar(subject.target) : null;
  const ending = {
    endNs,
    exit,
    incomplete: failure !== undefined,
    alive,
    named: [...named],
    mappings: mappings.texts(),
    stacksUnread: end.stacksUnread,
    warnings: warnings(options, mappings, recording, failure),
  };
  return { recording, facts, ending, failure };
}

interface Session {
  readonly tracer: Tracer;
  readonly recording: Recording;
  readonly mappings: MappingCache;
  facts: Facts;
}

/** Starts bpftrace and waits until every probe is live. */
async function arm(options: CollectOptions): Promise<Session> {
  const { subject, plan, host, dialect, bpftrace, debug } = options;
  const entries = mapEntries(totalmem(), host.info.cpus);
  const follow = followOf(subject, plan);
  const program = composeProgram(plan, {
    dialect,
    arch: host.info.arch,
    btf: host.btf,
    follow,
    self: process.pid,
  });
  debug(`program:\n${program}`);
  const recording = newRecording();
  const mappings = newMappingCache();
  let isReady: (word: 'ready') => void = () => undefined;
  const ready = new Promise<'ready'>((resolve) => {
    isReady = resolve;
  });
  const session = { recording, mappings, facts: factsOf(options, entries) } as Session & { tracer: Tracer };
  let before = { maps: new Map(recording.maps), at: 0 };
  const started = monotonicNs();
  session.tracer = await startTracer(bpftrace, program, dialect.mapEntries(entries), (text) => {
    const line = recordLine(recording, text);
    if (line.kind === 'dropped') debug(`dropped: ${line.reason}`);
    if (line.kind !== 'event') return;
    mappings.onEvent(line.event);
    if (line.event.type === 'ready') isReady('ready');
    if (line.event.type === 'tock') {
      if (before.at === 0) before = { ...before, at: session.facts.startNs };
      options.onSample?.(assembleSample(recording, before, session.facts));
      before = { maps: new Map(recording.maps), at: line.event.at };
    }
  });
  options.onTracer?.(session.tracer);
  const state = await Promise.race([
    ready,
    session.tracer.ended,
    options.stop.then(() => 'stopped' as const),
    ...(subject.kind === 'run' ? [subject.target.exited.then(() => 'stopped' as const)] : []),
  ]);
  if (state === 'ready') {
    debug(`armed after ${Math.round((monotonicNs() - started) / 1e6)} ms`);
    return session;
  }
  if (state !== 'stopped') throw explainFailure(state);
  session.tracer.kill();
  await session.tracer.ended;
  throw new BtprofError('interrupted before anything was measured.', undefined, 130);
}

/** Lets the command go, or names the threads that run already. The collection counts from here. */
function begin(session: Session, subject: Subject): Map<number, number> {
  session.facts = { ...session.facts, t0Ms: Date.now(), startNs: monotonicNs() };
  if (subject.kind === 'run') {
    subject.target.release();
    return new Map();
  }
  const named = nameThreads(subject.kind === 'attach' ? () => subject.pids : ownExcept(session.tracer.pid));
  for (const pid of new Set(named.values())) void session.mappings.read(pid, 1);
  return named;
}

/** Every user process but ourselves and bpftrace. */
function ownExcept(tracer: number): () => number[] {
  return () => userProcesses().filter((pid) => pid !== process.pid && pid !== tracer);
}

function followOf(subject: Subject, { children }: Plan): Follow {
  if (subject.kind !== 'run')
    return { kind: 'named', by: process.pid, children: children || subject.kind === 'system' };
  return { kind: 'held', pid: subject.target.pid, execs: subject.target.execs, children };
}

function factsOf({ subject, plan, host, dialect, version }: CollectOptions, entries: number): Facts {
  const pid =
    subject.kind === 'run' ? subject.target.pid : subject.kind === 'attach' ? subject.pids[0] : undefined;
  return {
    mode: subject.kind,
    pid: pid ?? null,
    cmd: subject.kind === 'run' ? subject.cmd : [],
    executable: subject.kind === 'run' ? subject.executable : null,
    t0Ms: Date.now(),
    startNs: monotonicNs(),
    host: host.info,
    btprof: version,
    bpftrace: dialect.version,
    profilers: plan.profilers.map((p) => p.name),
    stacks: plan.stacks,
    mapEntries: entries,
  };
}

async function subjectEnd(subject: Subject): Promise<void> {
  if (subject.kind === 'run') await subject.target.exited;
  else if (subject.kind === 'attach') while (subject.pids.some(isAlive)) await sleep(POLL_MS);
  else await new Promise(() => undefined);
}

/** The command gets Ctrl-C too, and may need a moment to end by it. */
async function stopOf({ stop, subject }: CollectOptions): Promise<'stop' | 'subject'> {
  await stop;
  if (subject.kind !== 'run') return 'stop';
  return Promise.race([
    subject.target.exited.then(() => 'subject' as const),
    sleep(GRACE_MS, 'stop' as const),
  ]);
}

async function drain(recording: Recording, pid: number): Promise<void> {
  const deadline = monotonicNs() + DRAIN_MS * 1e6;
  const left = () => recording.exits.some((e) => e.tid === pid);
  while (!left() && monotonicNs() < deadline) await sleep(1);
  await sleep(DRAIN_MORE_MS);
}

/** Processes that were followed and may be alive. */
function followed(
  recording: Recording,
  named: ReadonlyMap<number, number>,
  { subject }: CollectOptions,
): Set<number> {
  const pids = new Set(named.values());
  for (const event of [...recording.execs, ...recording.forks]) pids.add(event.pid);
  for (const { pid } of recording.exits) if (threadsOf(pid).length === 0) pids.delete(pid);
  if (subject.kind === 'run' && recording.execs.length > 0) pids.add(subject.target.pid);
  return pids;
}

async function exitSoFar(target: HeldTarget): Promise<Ending['exit']> {
  return Promise.race([target.exited, sleep(0, null)]);
}

function diedMidway({ code, signal }: TracerEnd): BtprofError {
  const how = signal ? `by ${signal}` : `with status ${code}`;
  return new BtprofError(
    `bpftrace ended ${how} in the middle of the collection, and took its counts with it.`,
    'With --interval, what it had printed until then is in the result.',
  );
}

function warnings(
  { dialect, host, plan }: CollectOptions,
  mappings: MappingCache,
  recording: Recording,
  failure: BtprofError | undefined,
): string[] {
  const forgotten = mappings.forgotten();
  const counts32bit = plan.profilers.some((p) => p.name === 'syscalls');
  return [
    ...dialect.warnings,
    ...(failure ? [failure.message] : []),
    ...(forgotten
      ? [`the mappings of ${forgotten} processes were forgotten: their frames have no module`]
      : []),
    ...(host.btf || !counts32bit ? [] : ['without BTF, 32-bit system calls cannot be told from 64-bit ones']),
    ...recording.quality.reasons.map((reason) => `a line of bpftrace could not be read: ${reason}`),
  ];
}

/** CLOCK_MONOTONIC, as bpftrace's nsecs. */
function monotonicNs(): number {
  return Number(process.hrtime.bigint());
}
