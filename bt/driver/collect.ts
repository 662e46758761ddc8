import type { Ending, Facts, LiveThread } from '../../metrics/facts.ts';
import type { IdleMatch } from '../../metrics/idle.ts';
import type { AddressSpaces } from '../../metrics/mappings.ts';
import { newSampler } from '../../metrics/sample.ts';
import type { Sample } from '../../metrics/schema.ts';
import type { Symbols } from '../../metrics/symbols.ts';
import type { Recording } from '../../parsers/recording.ts';
import { timesCalls } from '../compose.ts';
import { BtprofError } from '../errors.ts';
import type { MappingCache } from '../symbols/mapping-cache.ts';
import { type Cause, causeOfEnd, drain } from './cause.ts';
import { endingOf, followed } from './ending.ts';
import { resumeShouldWeDie } from './entry.ts';
import { type ProgramTiming, timePrograms } from './program-time.ts';
import { measureSelf, type SelfMeasure } from './self-measure.ts';
import { openSession, type Session, type SessionOptions } from './session.ts';
import { begin, followOf, type Subject, threadsAt } from './subject.ts';
import { takeOverAtEntry } from './take-over.ts';
import { liveThreads } from './threads.ts';
import { type Hold, unwindsDwarf } from './unwind.ts';

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
  readonly onSample: (sample: Sample, mappings: AddressSpaces) => void;
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
  const { subject, plan, hold, stop, debug } = options;
  const takeSample = newSampler(options.onSample, options.idle);
  let facts: Facts | undefined;
  const sessionOptions = {
    ...options,
    follow: followOf(subject, plan.children, hold),
    threads: threadsAt(subject),
    giveUp: subject.kind === 'run' ? Promise.race([stop, subject.target.exited]) : stop,
    onTick: (recording: Recording, mappings: MappingCache, symbols: Symbols) =>
      facts && takeSample({ recording, facts, mappings: mappings.spaces(), symbols }),
  };
  // Before there is a program: to start a process asks it for its maps.
  const held = hold && subject.kind === 'run' ? subject.target : undefined;
  const dismiss = held && resumeShouldWeDie(held.pid);
  const { first, timing } = await openTimed(sessionOptions, options.selfMeasure);
  const measure = measureSelf(timing, first);
  const began = performance.now();
  const ours = [process.pid, first.tracer.pid, timing?.pid];
  facts = { ...factsOf(options, first), named: begin(first, subject, ours) };
  options.onStart(facts);
  const next = hold && held ? await takeOverAtEntry(first, held, hold, sessionOptions) : 'not needed';
  const broken = next instanceof BtprofError ? next : undefined;
  const session = broken || typeof next === 'string' ? first : (next as Session);
  if (session !== first) facts = { ...facts, dwarfPids: facts.pids, dwarfGeneration: 2 };
  measure.goOnWith(session);
  const cause = broken ? 'tracer' : await causeOfEnd(subject, session.tracer, stop, plan.durationMs);
  debug(`collection ended by ${cause}`);
  const result = await finished(options, session, {
    facts,
    cause,
    began,
    broken,
    byDwarf: next !== 'not needed',
    measure,
  });
  timing?.stop();
  const close = async () => {
    await result.close();
    dismiss?.();
  };
  return { ...result, close };
}

/** The kernel is asked to time our programs while bpftrace starts. */
async function openTimed(
  options: SessionOptions,
  selfMeasure: boolean,
): Promise<{ first: Session; timing: ProgramTiming | undefined }> {
  let timing: Promise<ProgramTiming> | undefined;
  const onTracer: SessionOptions['onTracer'] = (tracer) => {
    options.onTracer(tracer);
    if (selfMeasure) timing = timePrograms();
  };
  const first = await openSession({ ...options, onTracer });
  return { first, timing: await timing };
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
  readonly measure: SelfMeasure;
}

/** Takes the result of a session whose collection has ended. */
async function finished(
  options: CollectOptions,
  session: Session,
  { facts, cause, began, broken, byDwarf, measure }: Ended,
): Promise<Collection> {
  const { subject, debug } = options;
  const { tracer, recording, symbols } = session;
  const taken = measure.taken(cause !== 'tracer');
  const sinceBegan = () => Math.round((performance.now() - began) * 1e6);
  const collectedNs = sinceBegan();
  if (subject.kind === 'run' && cause === 'subject') await drain(recording, subject.target.pid);
  // Before the maps are printed: that takes its time, and who exits meanwhile is in no event.
  const looked = performance.now();
  const alive = liveThreads(followed(recording, facts, subject));
  const { length: exitsBefore } = recording.exits;
  const stopped = cause === 'tracer' ? performance.now() : await session.printMaps();
  const aliveAgeNs = Math.ceil((stopped - looked) * 1e6);
  const failure = broken ?? (recording.complete ? undefined : await prematureEnd(session));
  const elapsedNs = sinceBegan();
  const ending = {
    ...(await endingOf(options, session, facts, {
      ...taken,
      byDwarf,
      elapsedNs,
      collectedNs,
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

/** Why bpftrace ended without all of its maps; undefined when it was interrupted, and so printed them when it ended. */
async function prematureEnd({ tracer, recording }: Session): Promise<BtprofError | undefined> {
  const { code, signal } = await tracer.ended;
  const ended = `bpftrace ended ${signal ? `by ${signal}` : `with status ${code}`}`;
  if (recording.end === undefined)
    return new BtprofError(
      `${ended} in the middle, and took its counts with it.`,
      'With --format jsonl --interval TIME, what it had printed until then is in the result.',
    );
  if (code === 0) return undefined;
  return new BtprofError(`${ended} while it printed its maps: the result lacks some of them.`);
}
