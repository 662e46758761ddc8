import type { Footprint, ProgramTime } from '../../metrics/facts.ts';
import { watchFootprint } from './footprint.ts';
import { momentOf, sampleProgramTime } from './program-sampling.ts';
import type { ProgramTiming } from './program-time.ts';
import type { Session } from './session.ts';

/** What a collection took. */
export interface Taken {
  /** Our programs in the kernel; null when it did not time them. */
  readonly programTime: ProgramTime | null;
  /** Why it did not; undefined also when that was not asked for. */
  readonly untimed: string | undefined;
  /** btprof and bpftrace; null when that was not asked for, or bpftrace is gone. */
  readonly footprint: Footprint | null;
}

/** Measures what a collection takes, while it goes on. */
export interface SelfMeasure {
  /** The session that goes on, which may be another one than it began with. */
  readonly goOnWith: (session: Session) => void;
  /**
   * Ends it.
   *
   * @param isThere whether bpftrace is, which has the counts
   */
  readonly taken: (isThere: boolean) => Taken;
}

/**
 * The collection begins now.
 *
 * @param timing none when nothing is to be measured
 */
export function measureSelf(timing: ProgramTiming | undefined, first: Session): SelfMeasure {
  if (!timing) {
    return {
      goOnWith: () => undefined,
      taken: () => ({ programTime: null, untimed: undefined, footprint: null }),
    };
  }
  const began = momentOf(first.programRuns);
  let footprint = watchFootprint(first.tracer.pid);
  let endSampling: () => ProgramTime | null = () => null;
  return {
    goOnWith: (session) => {
      const tookOver = session !== first;
      if (tookOver) footprint = watchFootprint(session.tracer.pid);
      // The command was held until now; what ran before that is in the counts of the session that took over.
      const from = tookOver ? { ...began, at: performance.now() } : began;
      if (timing.problem() === undefined) endSampling = sampleProgramTime(timing, session.programRuns, from);
    },
    taken: (isThere) => {
      const programTime = endSampling();
      if (!isThere) return { programTime: null, untimed: undefined, footprint: null };
      const untimed = programTime ? undefined : (timing.problem() ?? 'bpftrace took its counts with it');
      return { programTime, untimed, footprint: footprint() };
    },
  };
}
