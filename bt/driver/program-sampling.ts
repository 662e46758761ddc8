import { setTimeout as sleep } from 'node:timers/promises';
import type { ProgramTime } from '../../metrics/facts.ts';
import type { ProgramTiming } from './program-time.ts';
import type { ProgramRuns } from './tracer.ts';

/** What had run by a time. */
export interface Moment {
  /** By our own clock, ms. */
  readonly at: number;
  readonly runs: ProgramRuns;
}

export function momentOf(programRuns: () => ProgramRuns): Moment {
  return { at: performance.now(), runs: programRuns() };
}

/** All runs are timed for so long at first: of a short command, every one. */
const FIRST_MS = 200;
/** Then for so long at a time, and not in between: to time a run takes 80 ns, a third of what many a run takes itself. */
const WINDOW_MS = 50;
/** On average, and less in the first second: at random, for what is measured may have a rhythm, too. */
const GAP_MS = 950;

/**
 * Has the kernel time our programs at the beginning, and a twentieth of the time later.
 *
 * @param began when it had begun to
 * @returns ends that, and tells what they took until now; null when that is not known
 */
export function sampleProgramTime(
  timing: ProgramTiming,
  programRuns: () => ProgramRuns,
  began: Moment,
): () => ProgramTime | null {
  const windows: Window[] = [];
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

/** What ran while it was timed. */
export interface Window {
  /** After the beginning, ms. */
  readonly from: number;
  readonly ms: number;
  readonly runs: number;
  readonly timeNs: number;
}

function windowOf(began: Moment, from: Moment, to: Moment): Window {
  return {
    from: from.at - began.at,
    ms: to.at - from.at,
    runs: to.runs.timed - from.runs.timed,
    timeNs: to.runs.timeNs - from.runs.timeNs,
  };
}

/**
 * The windows as they were, and each gap between two of them as their mean; what comes after the last one as that one. One
 * that was cut to less than half has seen too little to stand for a gap, unless it is the first.
 *
 * @param elapsedMs from the beginning of the first one on
 * @returns null when the kernel was not asked, or when bpftrace was gone, and its counts with it
 */
export function estimate(all: readonly Window[], elapsedMs: number): ProgramTime | null {
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

/** For how many times its own length a window stands: with half of each gap beside it, or all of what comes after the last. */
function spanOf(
  before: Window | undefined,
  { from, ms }: Window,
  after: Window | undefined,
  elapsedMs: number,
): number {
  const gapBefore = before ? (from - before.from - before.ms) / 2 : 0;
  const gapAfter = after ? (after.from - from - ms) / 2 : Math.max(0, elapsedMs - from - ms);
  return 1 + (gapBefore + gapAfter) / ms;
}
