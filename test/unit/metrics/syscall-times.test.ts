import { describe, expect, test } from 'vitest';
import type { Offcpu, Syscalls } from '../../../metrics/ebpf-schema.ts';
import { errnoName } from '../../../metrics/errno.ts';
import { addCallTimes, type CallTimesInput } from '../../../metrics/syscall-times.ts';
import { sleepProfile } from '../sleep-recording.ts';

const { offcpu, syscalls } = sleepProfile().ebpf as { offcpu: Offcpu; syscalls: Syscalls };
const ROW = offcpu.stacks[0] as Offcpu['stacks'][number];
const NONE = {
  ...{ returned: 0, errors: 0, by_errno: {}, total_time_ns: 0, avg_time_ns: 0, max_time_ns: 0 },
  ...{ in_flight: 0, in_flight_ns: 0 },
};

function timed(input: Partial<CallTimesInput>): { metrics: Syscalls; unreadable: number } {
  const metrics = structuredClone({
    ...syscalls,
    by_syscall: { read: { count: 3 }, mmap: { count: 21 } },
    compat_32bit: { total: 1, by_syscall: { read: { count: 1 } } },
  });
  const none = { times: [], slowest: [], errors: [], calls: [], stacks: undefined };
  return { unreadable: addCallTimes(metrics, { ...none, arch: 'x86_64', end: 1000, ...input }), metrics };
}

const stats = (count: number, total: number) => ({ count, average: Math.floor(total / count), total });

describe('times of calls', () => {
  test('are added up over all CPUs', () => {
    const { metrics, unreadable } = timed({
      times: [
        { key: '1,0', value: stats(1, 10) },
        { key: '1,1', value: stats(2, 50) },
      ],
      slowest: [
        { key: '1,0', value: 10 },
        { key: '1,1', value: 40 },
      ],
    });
    const read = { ...NONE, returned: 3, total_time_ns: 60, avg_time_ns: 20, max_time_ns: 40 };
    expect(metrics.by_syscall).toEqual({ read: { count: 3, ...read }, mmap: { count: 21, ...NONE } });
    expect(unreadable).toBe(0);
  });

  test('have errors by their names', () => {
    const { metrics } = timed({
      errors: [
        { key: '1,11', value: 2 },
        { key: '1,512', value: 1 },
      ],
    });
    expect(metrics.by_syscall.read).toMatchObject({ errors: 3, by_errno: { EAGAIN: 2, ERESTARTSYS: 1 } });
  });

  test('of calls in progress are those until the end', () => {
    const calls = [
      { key: '7', value: [900, 1] },
      { key: '8', value: [400, 1] },
    ];
    expect(timed({ calls }).metrics.by_syscall.read).toMatchObject({ in_flight: 2, in_flight_ns: 700 });
  });

  test('of 32-bit calls are apart', () => {
    const times = [{ key: `${2 ** 32 + 3 + 1},0`, value: stats(1, 10) }]; // 3 is read of i386
    const { metrics } = timed({ times });
    expect(metrics.compat_32bit.by_syscall.read).toMatchObject({ count: 1, returned: 1, total_time_ns: 10 });
    expect(metrics.by_syscall.read).toMatchObject({ returned: 0 });
  });

  test('say how much of them was waiting, and for what', () => {
    const stacks = [
      { ...ROW, syscall: 'read', reason: 'disk' as const, time_ns: 30, count: 2 },
      { ...ROW, syscall: 'read', reason: 'pipe' as const, time_ns: 5, count: 1 },
      { ...ROW, syscall: null, time_ns: 100, count: 1 },
    ];
    expect(timed({ stacks }).metrics.by_syscall.read?.off_cpu).toEqual({
      time_ns: 35,
      count: 3,
      by_reason: { disk: { time_ns: 30, count: 2 }, pipe: { time_ns: 5, count: 1 } },
    });
  });

  test('that cannot be read are counted', () => {
    const bad = [{ key: 'x', value: 1 }];
    expect(timed({ times: bad, slowest: bad, errors: bad, calls: bad }).unreadable).toBe(4);
  });
});

test.each([
  [2, 'ENOENT'],
  [11, 'EAGAIN'],
  [133, 'EHWPOISON'],
  [516, 'ERESTART_RESTARTBLOCK'],
  [999, 'errno_999'],
])('errno %i is %s', (errno, name) => {
  expect(errnoName(errno)).toBe(name);
});
