import { describe, expect, test } from 'vitest';
import { offcpu } from '../../../../../bt/profilers/offcpu/offcpu.ts';
import type { Syscalls } from '../../../../../bt/profilers/syscalls/sys-schema.ts';
import { syscalls } from '../../../../../bt/profilers/syscalls/syscalls.ts';
import type { StackRow, Window } from '../../../../../metrics/measurement.ts';
import { newReading } from '../../../../../metrics/window.ts';
import type { MapEntry } from '../../../../../parsers/entries.ts';
import { sumEntry } from '../../../printed-lines.ts';
import { SLEEP_FACTS } from '../../../sleep-recording.ts';

/** A wait that has ended. */
const WAIT: StackRow = {
  ...{ pid: 7, tid: 7, comm: null, idle: false, open: false, user: [], kernel: [] },
  ...{ kind: 'other', timeNs: 0, count: 0 },
};
const NONE = {
  ...{ returned: 0, errors: 0, by_errno: {}, total_time_ns: 0, avg_time_ns: 0, max_time_ns: 0 },
  ...{ in_flight: 0, in_flight_ns: 0 },
};

interface Given {
  readonly times?: readonly MapEntry[];
  readonly slowest?: readonly MapEntry[];
  readonly errors?: readonly MapEntry[];
  readonly calls?: readonly MapEntry[];
  readonly waits?: readonly StackRow[];
}

/** The entries of 3 calls of read, 21 of mmap and one read through the 32-bit entry. */
function timed({ times = [], slowest = [], errors = [], calls = [], waits }: Given) {
  const counts = [
    { key: '7,0', value: 3 },
    { key: '7,9', value: 21 },
    { key: `7,${2 ** 32 + 3}`, value: 1 },
  ];
  const maps = { '@calls': counts, '@times': times, '@slowest': slowest, '@errors': errors, '@call': calls };
  const reading = newReading(new Map(Object.entries(maps)), undefined, new Map());
  const window: Partial<Window> = {
    ...{ isWhole: true, facts: { ...SLEEP_FACTS, syscallTimes: true }, rows: reading.rows, end: 1000 },
    alive: new Map(),
    ...{ elapsedNs: 1e9, measured: waits ? [offcpu, syscalls] : [syscalls] },
    names: { processes: new Map(), threads: new Map(), processCount: 1, threadCount: 1 },
  };
  const metrics = syscalls.reduce(window as Window).part as Syscalls;
  syscalls.finish?.(metrics, () => waits ?? [], window as Window);
  return { metrics, unreadable: reading.unreadable() };
}

describe('times of calls', () => {
  test('are summed over all CPUs', () => {
    const { metrics, unreadable } = timed({
      times: [sumEntry('1,0', 1, 10), sumEntry('1,1', 2, 50)],
      slowest: [
        { key: '1,0', value: 10 },
        { key: '1,1', value: 40 },
      ],
    });
    const read = { ...NONE, returned: 3, total_time_ns: 60, avg_time_ns: 20, max_time_ns: 40 };
    expect(metrics.by_syscall).toEqual({ read: { count: 3, ...read }, mmap: { count: 21, ...NONE } });
    expect(unreadable).toBe(0);
  });

  test('have errors by name', () => {
    const { metrics } = timed({
      errors: [
        { key: '1,11', value: 2 },
        { key: '1,512', value: 1 },
      ],
    });
    expect(metrics.by_syscall.read).toMatchObject({ errors: 3, by_errno: { EAGAIN: 2, ERESTARTSYS: 1 } });
  });

  test('include calls in progress until the end', () => {
    const calls = [
      { key: '7', value: [900, 1] },
      { key: '8', value: [400, 1] },
    ];
    expect(timed({ calls }).metrics.by_syscall.read).toMatchObject({ in_flight: 2, in_flight_ns: 700 });
  });

  test('are separate for 32-bit calls', () => {
    const times = [sumEntry(`${2 ** 32 + 3 + 1},0`, 1, 10)]; // 3 is read on i386
    const { metrics } = timed({ times });
    expect(metrics.compat_32bit.by_syscall.read).toMatchObject({ count: 1, returned: 1, total_time_ns: 10 });
    expect(metrics.by_syscall.read).toMatchObject({ returned: 0 });
  });

  test('include the waiting time and its reasons', () => {
    const waits = [
      { ...WAIT, syscall: 'read', kind: 'disk', timeNs: 30, count: 2 },
      { ...WAIT, syscall: 'read', kind: 'pipe', timeNs: 5, count: 1 },
      { ...WAIT, syscall: 'read', kind: 'pipe', timeNs: 1000, count: 0, open: true },
      { ...WAIT, syscall: null, timeNs: 100, count: 1 },
    ];
    expect(timed({ waits }).metrics.by_syscall.read?.off_cpu).toEqual({
      time_ns: 35,
      count: 3,
      by_reason: { disk: { time_ns: 30, count: 2 }, pipe: { time_ns: 5, count: 1 } },
    });
  });

  test('are counted separately if unreadable', () => {
    const bad = [{ key: 'x', value: 1 }];
    expect(timed({ times: bad, slowest: bad, errors: bad, calls: bad }).unreadable).toBe(4);
  });

  test('have no waits without the off-CPU profiler', () => {
    expect(timed({}).metrics.by_syscall.read).not.toHaveProperty('off_cpu');
  });
});
