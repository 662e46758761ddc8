import { BtprofError } from '../../metrics/errors.ts';
import type { Ending, Facts, LiveThread } from '../../metrics/facts.ts';
import { type Collected, readRecorder } from '../../metrics/profile.ts';
import { currentSession, type Recorder, type ThreadEvents } from '../../metrics/recording.ts';
import type { Plan } from '../compose.ts';
import { endingOf, followed } from './ending.ts';
import type { Host } from './host.ts';
import type { ProcessState } from './process-state.ts';
import type { SelfMeasure } from './self-measure.ts';
import type { Session } from './session.ts';
import { drain, type StopReason } from './stop-reason.ts';
import type { TakeOver } from './take-over.ts';
import type { Target } from './target.ts';
import { liveThreads } from './threads.ts';

/** Everything that a profile needs, except symbols. */
export interface Collection extends Collected {
  readonly ending: Ending;
  /** Why bpftrace ended by itself; undefined if it did not. */
  readonly failure: BtprofError | undefined;
  /** Ends bpftrace; the kernel takes up to a second to detach its probes. */
  readonly close: () => Promise<void>;
}

/** A collection that must stop. */
export interface Stopping {
  readonly plan: Plan;
  readonly host: Host;
  readonly target: Target;
  readonly state: ProcessState;
  readonly facts: Facts;
  /** When it began, ms of btprof's own clock. */
  readonly began: number;
  readonly takeOver: TakeOver;
  readonly measure: SelfMeasure;
}

/** Has the maps printed, and reads everything that a profile needs. */
export async function finishCollection(stopping: Stopping, reason: StopReason): Promise<Collection> {
  const { plan, target, state, facts, began, takeOver, measure } = stopping;
  const { session } = takeOver;
  const { recorder } = state;
  const cost = measure.cost(reason !== 'tracer');
  const sinceBegan = () => Math.round((performance.now() - began) * 1e6);
  const collectedNs = sinceBegan();
  if (target.kind === 'run' && reason === 'target') await drain(recorder, target.held.pid);
  const atEnd = await printMaps(stopping, reason);
  const failure = takeOver.failure ?? (await prematureEnd(session, state));
  const measurements = plan.profilers.map(({ profiler }) => profiler);
  const collected = readRecorder(recorder, facts, measurements);
  const ending = await endingOf({
    ...{ ...stopping, ...atEnd, session, cost, failure, collectedNs },
    recording: collected.recording,
    elapsedNs: sinceBegan(),
    dwarfWanted: takeOver.wanted,
  });
  const close = async () => {
    session.tracer.kill();
    await session.tracer.ended;
  };
  return { ...collected, ending, failure, close };
}

/** Prints the maps, and finds the threads that are alive when they are printed. */
async function printMaps(
  { target, facts, state: { recorder }, takeOver: { session } }: Stopping,
  reason: StopReason,
): Promise<{ alive: LiveThread[]; aliveAgeNs: number }> {
  // This is done before the maps are printed, because no event reports threads that exit during the print.
  const looked = performance.now();
  const seen = liveThreads(followed(threadEvents(recorder), facts, target));
  const { exits } = currentSession(recorder);
  const last = exits.at(-1);
  const stopped = reason === 'tracer' ? performance.now() : await session.printMaps();
  const exited = exits.slice(last ? exits.lastIndexOf(last) + 1 : 0);
  return { alive: without(seen, exited), aliveAgeNs: Math.ceil((stopped - looked) * 1e6) };
}

/** Collects the thread events of all sessions. */
function threadEvents({ sessions }: Recorder): Pick<ThreadEvents, 'execs' | 'forks' | 'exits'> {
  return {
    execs: sessions.flatMap(({ execs }) => execs),
    forks: sessions.flatMap(({ forks }) => forks),
    exits: sessions.flatMap(({ exits }) => exits),
  };
}

/** Leaves out the threads that have exited. */
function without(threads: readonly LiveThread[], exits: ThreadEvents['exits']): LiveThread[] {
  const gone = new Set(exits.map(({ pid, tid }) => `${pid}:${tid}`));
  return threads.filter(({ pid, tid }) => !gone.has(`${pid}:${tid}`));
}

/**
 * Explains why bpftrace ended before it printed all maps. If it is interrupted, it prints them when it ends, but
 * without the last event.
 */
async function prematureEnd(
  { tracer }: Session,
  { recorder }: ProcessState,
): Promise<BtprofError | undefined> {
  if (currentSession(recorder).complete) return undefined;
  const { code, signal } = await tracer.ended;
  const ended = `bpftrace ended ${signal ? `by ${signal}` : `with status ${code}`}`;
  if (currentSession(recorder).end === undefined)
    return new BtprofError(
      `${ended} before it printed its maps: the counts are lost.`,
      'With --format jsonl --interval TIME, the result has what was printed until then.',
    );
  if (code === 0) return undefined;
  return new BtprofError(`${ended} while it printed its maps: the result lacks some of them.`);
}
