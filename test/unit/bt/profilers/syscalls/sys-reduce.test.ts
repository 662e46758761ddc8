import { describe, expect, test } from 'vitest';
import type { Syscalls } from '../../../../../bt/profilers/syscalls/sys-schema.ts';
import { syscalls } from '../../../../../bt/profilers/syscalls/syscalls.ts';
import type { Window } from '../../../../../metrics/measurement.ts';
import { newReading } from '../../../../../metrics/window.ts';
import type { MapEntry } from '../../../../../parsers/entries.ts';
import { recordingOf, SLEEP_FACTS } from '../../../sleep-recording.ts';

const COMMS = new Map([
  [26857, 'sleep'],
  [865, 'sh'],
]);
const SECOND = 1e9;

function entries(counts: Record<string, unknown>): MapEntry[] {
  return Object.entries(counts).map(([key, value]) => ({ key, value }));
}

function metricsOf(counts: Record<string, unknown>, before: Record<string, unknown> = {}, elapsed = SECOND) {
  return reduced(entries(counts), entries(before), elapsed);
}

/** An interval of this many ns. */
function reduced(now: readonly MapEntry[], before: readonly MapEntry[], elapsedNs = SECOND) {
  const reading = newReading(new Map([['@calls', now]]), new Map([['@calls', before]]), new Map());
  const window: Partial<Window> = {
    ...{ isWhole: false, facts: SLEEP_FACTS, rows: reading.rows, elapsedNs, recording: recordingOf([]) },
    names: { processes: COMMS, threads: new Map(), processCount: 2, threadCount: 2 },
  };
  const { part } = syscalls.reduce(window as Window);
  return { metrics: part as Syscalls, unreadable: reading.unreadable() };
}

describe('counts', () => {
  const { metrics, unreadable } = metricsOf({ '26857,230': 1, '26857,0': 3, '865,0': 4, '865,61': 4 });

  test('are summed over processes, largest first', () => {
    expect(metrics.total).toBe(12);
    expect(metrics.top_syscalls).toEqual([
      { name: 'read', count: 7 },
      { name: 'wait4', count: 4 },
      { name: 'clock_nanosleep', count: 1 },
    ]);
    expect(metrics.by_syscall).toEqual({
      read: { count: 7 },
      wait4: { count: 4 },
      clock_nanosleep: { count: 1 },
    });
    expect(unreadable).toBe(0);
  });

  test('are summed by category', () => {
    expect(metrics.by_category).toEqual({ file_io: 7, process: 4, time: 1 });
  });

  test('are separate for each process', () => {
    expect(metrics.by_process).toEqual({
      26857: { comm: 'sleep', total: 4, by_syscall: { read: 3, clock_nanosleep: 1 } },
      865: { comm: 'sh', total: 8, by_syscall: { read: 4, wait4: 4 } },
    });
  });
});

test('include processes without a known name', () => {
  expect(metricsOf({ '7,0': 1 }).metrics.by_process).toEqual({
    7: { comm: null, total: 1, by_syscall: { read: 1 } },
  });
});

test('list the ten most frequent calls, equal ones by name', () => {
  const counts = Object.fromEntries(Array.from({ length: 13 }, (_, nr) => [`1,${nr}`, 5]));
  const { top_syscalls, by_syscall } = metricsOf(counts).metrics;
  const names = top_syscalls.map(({ name }) => name);
  expect(names).toHaveLength(10);
  expect(names).toEqual([...names].sort());
  expect(Object.keys(by_syscall)).toHaveLength(13);
});

test('with keys that print alike are summed', () => {
  const twice = [...entries({ '1,0': 23 }), ...entries({ '1,0': 1009 })];
  expect(reduced(twice, []).metrics.total).toBe(1032);
});

test('of 32-bit calls have their own names and totals', () => {
  const { metrics } = metricsOf({ '30312,39': 7, '30312,4294967316': 7, '30245,4294967295': 1 });
  expect(metrics.total).toBe(7);
  expect(metrics.by_syscall).toEqual({ getpid: { count: 7 } });
  expect(metrics.compat_32bit).toEqual({
    total: 8,
    by_syscall: { getpid: { count: 7 }, skipped: { count: 1 } },
  });
});

test('include skipped and unknown calls', () => {
  const { metrics } = metricsOf({ '1,-1': 3, '1,-2147483643': 1, '1,1073741829': 1, '1,999': 1 });
  expect(metrics.total).toBe(6);
  expect(metrics.by_syscall).toEqual({
    skipped: { count: 4 },
    syscall_1073741829: { count: 1 },
    syscall_999: { count: 1 },
  });
  expect(metrics.by_category).toEqual({ other: 6 });
});

test('omit unreadable entries, which are counted separately', () => {
  const { metrics, unreadable } = metricsOf({ '1,0': 5, '1': 1, '1,read': 1, '1,1': 'x', '': null });
  expect(metrics.total).toBe(5);
  expect(unreadable).toBe(4);
});

describe('an interval', () => {
  test('has the calls since its start', () => {
    const { metrics } = metricsOf({ '1,0': 10, '1,1': 5, '2,0': 2 }, { '1,0': 7, '1,1': 5 });
    expect(metrics.by_syscall).toEqual({ read: { count: 5 } });
    expect(metrics.by_process).toMatchObject({ 1: { total: 3 }, 2: { total: 2 } });
  });

  test('without calls is idle and has rates of 0', () => {
    const { metrics } = metricsOf({ '1,0': 7 }, { '1,0': 7 }, 0);
    expect(metrics.total).toBe(0);
    expect(metrics.analysis).toEqual({
      syscall_rate_per_sec: 0,
      io_intensity: 0,
      memory_intensity: 0,
      cpu_intensity: 0,
      network_intensity: 0,
      behavior: 'idle',
    });
  });
});

describe('behaviour', () => {
  test.each([
    ['io_bound', { '1,0': 600, '1,9': 400 }],
    ['network_bound', { '1,44': 600, '1,0': 400 }],
    ['memory_bound', { '1,9': 501, '1,0': 499 }],
    ['process_heavy', { '1,61': 500, '1,202': 500 }],
    ['mixed', { '1,0': 400, '1,9': 300, '1,44': 300 }],
    ['mixed', { '1,202': 1000 }],
    ['idle', { '1,0': 99 }],
    ['io_bound', { '1,0': 100 }],
  ])('%s: %j in one second', (behavior, counts) => {
    expect(metricsOf(counts).metrics.analysis.behavior).toBe(behavior);
  });

  test('has a rate per wall time, and intensities as shares of all calls', () => {
    const { analysis } = metricsOf(
      { '1,0': 500, '1,9': 250, '1,44': 125, '1,61': 125 },
      {},
      SECOND / 2,
    ).metrics;
    expect(analysis).toEqual({
      syscall_rate_per_sec: 2000,
      io_intensity: 0.5,
      memory_intensity: 0.25,
      network_intensity: 0.125,
      cpu_intensity: 0.125,
      behavior: 'io_bound',
    });
  });
});

describe('processes with a seccomp filter', () => {
  const hintsFor = (filtered: Record<string, number>, alive: Window['alive'], isWhole = true) => {
    const reading = newReading(new Map([['@filtered', entries(filtered)]]), undefined, new Map());
    const window: Partial<Window> = {
      ...{ isWhole, facts: SLEEP_FACTS, rows: reading.rows, elapsedNs: SECOND, alive },
      names: { processes: COMMS, threads: new Map(), processCount: 2, threadCount: 2 },
    };
    return syscalls.reduce(window as Window).hints;
  };
  const state = (filtered: boolean) => ({ runnable: false, busy: false, filtered });

  test('are counted, those that ended and those that are alive', () => {
    const alive = new Map([
      [26857, state(true)],
      [30, state(true)],
      [31, state(false)],
    ]);
    expect(hintsFor({ 26857: 2, 865: 1 }, alive)).toEqual([
      expect.stringMatching(/^3 processes have a seccomp/),
    ]);
    expect(hintsFor({ 865: 4 }, new Map())).toEqual([
      expect.stringMatching(/^1 process has a seccomp filter/),
    ]);
  });

  test('are not mentioned if there are none, nor in intervals', () => {
    expect(hintsFor({}, new Map([[31, state(false)]]))).toEqual([]);
    expect(hintsFor({ 865: 1 }, new Map(), false)).toEqual([]);
  });
});
