import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { estimate, momentOf, sampleProgramTime } from '../../../../bt/driver/program-sampling.ts';
import type { ProgramTiming } from '../../../../bt/driver/program-time.ts';

describe('the run time of BPF programs', () => {
  const first = { from: 0, ms: 200, runs: 1000, timeNs: 300_000 };
  const windowAt = (from: number, runs: number, ms = 50) => ({ from, ms, runs, timeNs: 100 * runs });

  test('is exact if they were timed all the time', () => {
    expect(estimate([first], 200)).toEqual({ runs: 1000, timeNs: 300_000 });
  });

  test('in a gap is the mean of the windows around it; after the last window it continues at that rate', () => {
    // The windows have 5, 1 and 3 runs per ms, so the gaps have 3, 2 and 3.
    expect(estimate([first, windowAt(400, 50), windowAt(850, 150)], 1000)).toEqual({
      runs: 1000 + 200 * 3 + 50 + 400 * 2 + 150 + 100 * 3,
      timeNs: 300_000 + 200 * 800 + 5_000 + 400 * 200 + 15_000 + 100 * 300,
      timedNs: 300_000_000,
    });
  });

  test('is extrapolated from the first window if there is no complete later one', () => {
    expect(estimate([first], 400)).toEqual({ runs: 2000, timeNs: 600_000, timedNs: 200_000_000 });
    expect(estimate([first, windowAt(390, 1_000_000, 10)], 400)?.runs).toBe(2000);
  });

  test('includes a window that ended slightly early', () => {
    expect(estimate([first, windowAt(400, 499, 49.9)], 449.9)?.timedNs).toBe(249_900_000);
  });

  test('is unknown without windows, or if counts decreased', () => {
    expect(estimate([], 200)).toBeNull();
    expect(estimate([first, windowAt(400, -1000)], 1200)).toBeNull();
    expect(estimate([first, windowAt(400, -1000, 10)], 1200)).toBeNull();
  });
});

/** A kernel in which a program runs once per ms, and which counts the runs while timing is on. */
function countingKernel({ isThere = true, diesAfterMs = Infinity } = {}) {
  const began = performance.now();
  let [onMs, since] = [0, began as number | undefined];
  const now = () => Math.min(performance.now(), began + diesAfterMs);
  const total = () => onMs + (since === undefined ? 0 : now() - since);
  let pauses = 0;
  const paused = new EventEmitter();
  const timing: ProgramTiming = {
    problem: () => (performance.now() - began > diesAfterMs ? 'its process was ended' : undefined),
    pid: undefined,
    pause: () => {
      [onMs, since] = [total(), undefined];
      pauses++;
      paused.emit(`${pauses}`);
    },
    resume: async () => {
      since = now();
      return isThere;
    },
    stop: () => undefined,
  };
  const programRuns = () => ({ skipped: 0, timed: total(), timeNs: 100 * total() });
  /** Resolves at the pause, before the code after it runs. */
  const untilPause = (count: number) => once(paused, `${count}`);
  return { timing, programRuns, onMs: total, pauses: () => pauses, untilPause };
}

// These tests wait for seconds, so they run concurrently.
describe.concurrent('sampling', () => {
  const startOn = ({ timing, programRuns }: ReturnType<typeof countingKernel>) =>
    sampleProgramTime(timing, programRuns, momentOf(programRuns));

  test('times a short command without gaps', async () => {
    const kernel = countingKernel();
    const end = startOn(kernel);
    await sleep(20);
    const taken = end();
    expect(taken?.runs).toBeGreaterThanOrEqual(19);
    expect(taken?.runs).toBeLessThanOrEqual(Math.round(kernel.onMs()));
    expect(taken).not.toHaveProperty('timedNs');
    expect(kernel.pauses()).toBe(0);
  });

  test('also counts the runs between windows', async () => {
    const kernel = countingKernel();
    const began = performance.now();
    const end = startOn(kernel);
    await kernel.untilPause(3);
    const taken = end();
    const elapsed = performance.now() - began;
    expect((taken?.runs ?? 0) / elapsed).toBeCloseTo(1, 1);
    expect((taken?.timedNs ?? 0) / 1e6 / kernel.onMs()).toBeCloseTo(1, 1);
    expect(kernel.onMs()).toBeLessThan(elapsed * 0.9);
    await sleep(2000);
    expect(kernel.pauses()).toBe(3);
  });

  test('stops when the kernel can no longer be queried', async () => {
    const kernel = countingKernel({ isThere: false });
    const began = performance.now();
    const end = startOn(kernel);
    await sleep(1300);
    expect(kernel.pauses()).toBe(1);
    expect((end()?.runs ?? 0) / (performance.now() - began)).toBeCloseTo(1, 1);
  });

  test('ignores a window in which that happened', async () => {
    const end = startOn(countingKernel({ diesAfterMs: 20 }));
    await sleep(100);
    expect(end()).toBeNull();
  });
});
