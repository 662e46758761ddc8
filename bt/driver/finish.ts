import type { BtprofError } from '../../metrics/errors.ts';
import type { Ending, LiveThread } from '../../metrics/facts.ts';
import { type Collected, readRecorder } from '../../metrics/profile.ts';
import { currentSession, type Recorder, type ThreadEvents } from '../../metrics/recording.ts';
import { endingOf, followed, type Stopping } from './ending.ts';
import { liveThreads } from './proc-threads.ts';
import { drain, type StopReason } from './stop-reason.ts';

/** Everything that a profile needs, except symbols. */
export interface Collection extends Collected {
  readonly ending: Ending;
  /** Why it is incomplete; undefined when it is not. */
  readonly failure: BtprofError | undefined;
  /** Ends bpftrace; the kernel takes up to a second to detach its probes. */
  readonly close: () => Promise<void>;
}

/** Prints the maps and reads everything that a profile is made of. */
export async function finishCollection(stopping: Stopping, reason: StopReason): Promise<Collection> {
  const { plan, target, state, facts, began, takeOver, measure } = stopping;
  const { session } = takeOver;
  const { recorder } = state;
  const cost = measure.cost(reason !== 'tracer');
  const sinceBegan = () => Math.round((performance.now() - began) * 1e6);
  const collectedNs = sinceBegan();
  if (target.kind === 'run' && reason === 'target') await drain(recorder, target.held.pid);
  const { incomplete, ...atEnd } = await lookAndPrint(stopping);
  const failure = takeOver.failure ?? incomplete;
  const measurements = plan.profilers.map(({ profiler }) => profiler);
  const collected = readRecorder(recorder, facts, measurements);
  const ending = await endingOf({
    ...{ ...stopping, ...atEnd, cost, failure, collectedNs },
    recording: collected.recording,
    elapsedNs: sinceBegan(),
  });
  const close = async () => {
    session.tracer.kill();
    await session.tracer.ended;
  };
  return { ...collected, ending, failure, close };
}

/** What the end of a collection shows. */
interface AtEnd {
  readonly alive: LiveThread[];
  readonly aliveAgeNs: number;
  /** Why maps are missing. */
  readonly incomplete: BtprofError | undefined;
}

/** Finds the threads that are alive when the maps are printed, and prints them. */
async function lookAndPrint({ target, facts, state, takeOver }: Stopping): Promise<AtEnd> {
  const { recorder } = state;
  // Before the maps are printed: that takes a while, and no event reports who exits meanwhile.
  const looked = performance.now();
  const seen = liveThreads(followed(threadEvents(recorder), facts, target));
  const { exits } = currentSession(recorder);
  const last = exits.at(-1);
  const { at, failure } = await takeOver.session.printMaps();
  const exited = exits.slice(last ? exits.lastIndexOf(last) + 1 : 0);
  return {
    alive: without(seen, exited),
    aliveAgeNs: Math.ceil((at - looked) * 1e6),
    incomplete: failure,
  };
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
