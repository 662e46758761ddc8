import { describe, expect, test } from 'vitest';
import { accountOf } from '../../../../../bt/profilers/offcpu/off-account.ts';
import type { Offcpu } from '../../../../../bt/profilers/offcpu/off-schema.ts';
import type { Account } from '../../../../../metrics/account-schema.ts';
import type { ThreadTimes, Window } from '../../../../../metrics/measurement.ts';
import { recordingOf, SLEEP_FACTS, sleepProfile } from '../../../sleep-recording.ts';

const SLEEP = sleepProfile().ebpf.offcpu as Offcpu;
const [ROW] = SLEEP.stacks as [Offcpu['stacks'][number]];

/** The end of a collection with this many threads, one of them named. */
function windowOf(threads: ThreadTimes, threadCount: number): Window {
  const named = new Map([[8, 'worker']]);
  const window: Partial<Window> = {
    ...{ isOneMoment: true, facts: SLEEP_FACTS, threads, recording: recordingOf([]) },
    names: { processes: new Map(), threads: named, processCount: 1, threadCount },
    ...{ isFull: () => false, rows: () => [] },
  };
  return window as Window;
}

describe('the account', () => {
  const stacks = [
    { ...ROW, pid: 7, tid: 7, reason: 'sleep' as const, time_ns: 300 },
    { ...ROW, pid: 7, tid: 8, reason: 'lock' as const, time_ns: 500 },
    { ...ROW, pid: 7, tid: 7, reason: 'lock' as const, time_ns: 40 },
    { ...ROW, pid: 7, tid: 9, reason: 'disk' as const, time_ns: 10_000 },
  ];
  const { time_ns, count, ...open } = ROW;
  const still_blocked = [
    { ...open, pid: 7, tid: 8, reason: 'pipe' as const, idle: 'work' as const, comm: null, blocked_ns: 200 },
  ];
  const lifetimes = new Map([
    ['7:7', 1000],
    ['7:8', 900],
    ['7:10', 50],
  ]);
  const cpu = new Map([
    ['7:7', { onCpuNs: 650, runDelayNs: 20 }],
    ['7:8', { onCpuNs: 180, runDelayNs: 5 }],
    ['7:9', { onCpuNs: 1, runDelayNs: 1 }],
  ]);
  const ran = new Map([
    ['7:7', 655],
    ['7:9', 1],
  ]);
  const counts = new Map([...lifetimes.keys()].map((key) => [key, 1]));
  const part = { stacks, still_blocked };
  const account = accountOf(part, windowOf({ counts, lifetimes, cpu }, 4), ran) as Account;

  test('covers the threads whose times are all known, and adds up', () => {
    expect(account).toEqual({
      threads: 2,
      threads_unknown: 2,
      thread_time_ns: 1900,
      on_cpu_ns: 830,
      off_cpu_ns: { lock: 540, sleep: 300, pipe: 200 },
      idle_ns: { pipe: 200 },
      miscounted_ns: 5,
      unaccounted_ns: 25,
      run_delay_ns: 25,
      by_thread: {
        '7:7': { comm: null, time_ns: 1000, on_cpu_ns: 650, miscounted_ns: 5, off_cpu_ns: 340 },
        '7:8': { comm: 'worker', time_ns: 900, on_cpu_ns: 180, miscounted_ns: 0, off_cpu_ns: 700 },
      },
    });
  });

  test('lists the reasons by their time', () => {
    expect(Object.keys(account.off_cpu_ns)).toEqual(['lock', 'sleep', 'pipe']);
  });

  test('is 0 without threads', () => {
    const none = windowOf({ counts: new Map(), lifetimes: new Map(), cpu: new Map() }, 0);
    expect(accountOf(part, none, new Map())).toMatchObject({
      ...{ threads: 0, thread_time_ns: 0, off_cpu_ns: {}, miscounted_ns: 0, unaccounted_ns: 0 },
    });
  });
});

test('a profile without BTF has no account', () => {
  expect(sleepProfile().account).toBeDefined();
  expect(sleepProfile({ btf: false }).account).toBeUndefined();
});
