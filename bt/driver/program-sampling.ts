import { setTimeout as sleep } from 'node:timers/promises';
import type { ProgramTime } from '../../metrics/facts.ts';
import type { ProgramTiming } from './program-time.ts';
import type { ProgramRuns } from './tracer.ts';

/** Program runs up to a moment. */
export interface Moment {
  /** By btprof's own clock, ms. */
  readonly at: number;
  readonly runs: ProgramRuns;
}

export function momentOf(programRuns: () => ProgramRuns): Moment {
  return { at: performance.now(), runs: programRuns() };
}

/** At first, all runs are timed for this long: a short command is timed completely. */
const FIRST_MS = 200;
/** Later, runs are timed only in windows of this length, because timing a run costs 80 ns, a third of a typical run. */
const WINDOW_MS = 50;
/** Mean gap between windows, shorter in the first second. Gaps are random because the target may have a rhythm, too. */
const GAP_MS = 950;

/**
 * Makes the kernel time the programs of btprof: at first always, later for a twentieth of the time.
 *
 * @param began when the kernel began to time them
 * @returns a function that ends the timing and estimates the time of all runs so far; null if it is unknown
 */
export function sampleProgramTime(
  timing: ProgramTiming,
  programRuns: () => ProgramRuns,
  began: Moment,
): () => ProgramTime | null {
  const windows: TimedWindow[] = [];
  let opened: Moment | undefined = began;
  const close = () => {
    const now = momentOf(programRuns);
    if (opened && timing.problem() === undefined) windows.push(windowOf(began, opened, now));
    opened = undefined;
    return now;
  };
  const ending = new AbortController();
  const pause = (ms: number) => sleep(ms, undefined, { signal: ending.signal, ref: false });
  const takeTurns = async () => {
    for (let ms = FIRST_MS; ; ms = WINDOW_MS) {
      await pause(ms);
      close();
      timing.pause();
      await pause(2 * Math.random() * Math.min(GAP_MS, performance.now() - began.at));
      if (!(await timing.resume()) || ending.signal.aborted) return;
      opened = momentOf(programRuns);
    }
  };
  takeTurns().catch(() => undefined); // ended in a pause
  return () => {
    ending.abort();
    return estimate(windows, close().at - began.at);
  };
}

/** Program runs in a window in which they were timed. */
export interface TimedWindow {
  /** Time since the beginning, ms. */
  readonly from: number;
  readonly ms: number;
  readonly runs: number;
  readonly timeNs: number;
}

function windowOf(began: Moment, from: Moment, to: Moment): TimedWindow {
  return {
    from: from.at - began.at,
    ms: to.at - from.at,
    runs: to.runs.timed - from.runs.timed,
    timeNs: to.runs.timeNs - from.runs.timeNs,
  };
}

/**
 * Adds up the windows. A gap between two windows counts as their mean, and the time after the last window as that
 * window. A window that was cut to less than half is too short to represent a gap, unless it is the first.
 *
 * @param elapsedMs since the beginning of the first window
 * @returns null if runs were never timed, or if bpftrace ended and its counts are gone
 */
export function estimate(all: readonly TimedWindow[], elapsedMs: number): ProgramTime | null {
  const windows = all.filter(({ ms }, i) => i === 0 || ms >= WINDOW_MS / 2);
  const [first] = windows;
  if (!first || all.some(({ runs }) => runs < 0)) return null;
  const spans = windows.map((window, i) => spanOf(windows[i - 1], window, windows[i + 1], elapsedMs));
  const sum = (figure: 'runs' | 'timeNs') =>
    Math.round(windows.reduce((total, window, i) => total + window[figure] * (spans[i] as number), 0));
  const whole = windows.length === 1 && first.ms >= elapsedMs;
  const timedMs = windows.reduce((total, { ms }) => total + ms, 0);
  return {
    runs: sum('runs'),
    timeNs: sum('timeNs'),
    ...(whole ? {} : { timedNs: Math.round(timedMs * 1e6) }),
  };
}

/**
 * The time that a window represents, as a multiple of its length: itself and half of each gap beside it, or everything
 * after the last window.
 */
function spanOf(
  before: TimedWindow | undefined,
  { from, ms }: TimedWindow,
  after: TimedWindow | undefined,
  elapsedMs: number,
): number {
  const gapBefore = before ? (from - before.from - before.ms) / 2 : 0;
  const gapAfter = after ? (after.from - from - ms) / 2 : Math.max(0, elapsedMs - from - ms);
  return 1 + (gapBefore + gapAfter) / ms;
}
