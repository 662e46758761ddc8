import type { Footprint, ProgramTime } from '../../metrics/facts.ts';
import { watchFootprint } from './footprint.ts';
import { momentOf, sampleProgramTime } from './program-sampling.ts';
import type { ProgramTiming } from './program-time.ts';
import type { Session } from './session.ts';

/** What a collection cost. */
export interface SelfCost {
  /** Time of our programs in the kernel; null when the kernel did not time them. */
  readonly programTime: ProgramTime | null;
  /** Why it did not; undefined also when that was not asked for. */
  readonly untimed: string | undefined;
  /** Of btprof and bpftrace; null when that was not asked for, or bpftrace has ended. */
  readonly footprint: Footprint | null;
}

/** Measures what a collection costs while it lasts. */
export interface SelfMeasure {
  /** The session that the collection goes on with, which may be another one than it began with. */
  readonly continueWith: (session: Session) => void;
  /**
   * Ends the measurement.
   *
   * @param isRunning whether bpftrace still runs: the counts end with it
   */
  readonly cost: (isRunning: boolean) => SelfCost;
}

const NOT_MEASURED: SelfCost = { programTime: null, untimed: undefined, footprint: null };

/**
 * Starts to measure when the collection begins.
 *
 * @param timing undefined when nothing is to be measured
 */
export function measureSelf(timing: ProgramTiming | undefined, first: Session): SelfMeasure {
  if (!timing) return { continueWith: () => undefined, cost: () => NOT_MEASURED };
  const began = momentOf(first.programRuns);
  let footprint = watchFootprint(first.tracer.pid);
  let endSampling: () => ProgramTime | null = () => null;
  return {
    continueWith: (session) => {
      const tookOver = session !== first;
      if (tookOver) footprint = watchFootprint(session.tracer.pid);
      // The command was held until now; what ran before that is in the counts of the session that took over.
      const from = tookOver ? { ...began, at: performance.now() } : began;
      if (timing.problem() === undefined) endSampling = sampleProgramTime(timing, session.programRuns, from);
    },
    cost: (isRunning) => {
      const programTime = endSampling();
      if (!isRunning) return NOT_MEASURED;
      const untimed = programTime
        ? undefined
        : (timing.problem() ?? 'bpftrace ended, and its counts with it');
      return { programTime, untimed, footprint: footprint() };
    },
  };
}
