import type { Footprint, ProgramTime } from '../../metrics/facts.ts';
import { watchFootprint } from './footprint.ts';
import { momentOf, sampleProgramTime } from './program-sampling.ts';
import type { ProgramTiming } from './program-time.ts';
import type { Session } from './session.ts';

/** The cost of a collection. */
export interface SelfCost {
  /** Run time of the BPF programs; null if the kernel did not measure it. */
  readonly programTime: ProgramTime | null;
  /** Why the kernel did not measure it; also undefined if it was not wanted. */
  readonly untimed: string | undefined;
  /** CPU time and memory of btprof and bpftrace; null if not wanted, or if bpftrace has ended. */
  readonly footprint: Footprint | null;
}

/** Measures what a collection costs while it lasts. */
export interface SelfMeasure {
  /** Switches to another session: a collection may continue in a second one. */
  readonly continueWith: (session: Session) => void;
  /**
   * Ends the measurement.
   *
   * @param isRunning whether bpftrace still runs; the kernel drops the counts when it ends
   */
  readonly cost: (isRunning: boolean) => SelfCost;
}

const NOT_MEASURED: SelfCost = { programTime: null, untimed: undefined, footprint: null };

/**
 * Starts to measure when the collection begins.
 *
 * @param timing undefined if nothing is to be measured
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
      // The command was held until now. The counts of the second session include runs from before that.
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
