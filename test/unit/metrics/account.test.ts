import { describe, expect, test } from 'vitest';
import { accountOf, cpuTimes, ranTimes } from '../../../metrics/account.ts';
import type { Offcpu } from '../../../metrics/ebpf-schema.ts';
import type { CpuTime, Ending, Facts } from '../../../metrics/facts.ts';
import { recordingOf, SLEEP_ENDING, SLEEP_FACTS, sleepProfile } from '../sleep-recording.ts';

const SLEEP = sleepProfile().ebpf.offcpu as Offcpu;
const [ROW] = SLEEP.stacks as [Offcpu['stacks'][number]];

/** Of that many threads, one with a name. */
const names = (threadCount: number) => ({ threads: new Map([[8, 'worker']]), threadCount });

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
  const account = accountOf(lifetimes, cpu, ran, { stacks, still_blocked }, names(4));

  test('is of the threads of which all is known, and closes', () => {
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

  test('names the reasons by their time', () => {
    expect(Object.keys(account.off_cpu_ns)).toEqual(['lock', 'sleep', 'pipe']);
  });

  test('of no thread is nothing', () => {
    expect(accountOf(new Map(), new Map(), new Map(), { stacks, still_blocked }, names(0))).toMatchObject({
      ...{ threads: 0, thread_time_ns: 0, off_cpu_ns: {}, miscounted_ns: 0, unaccounted_ns: 0 },
    });
  });
});

describe('time on the CPU', () => {
  const timesOf = (
    lines: readonly (readonly unknown[])[],
    facts: Partial<Facts> = {},
    ending: Partial<Ending> = {},
  ): [string, CpuTime][] => {
    const recording = recordingOf(lines.map((data) => JSON.stringify({ type: 'value', data })));
    return [...cpuTimes(recording, { ...SLEEP_FACTS, ...facts }, { ...SLEEP_ENDING, ...ending })];
  };
  const exit = (tid: number, onCpu: number, delay: number) => ['exit', 9000, 7, tid, 5, 'x', onCpu, delay];

  test('is what a thread has used until its exit', () => {
    expect(timesOf([exit(8, 300, 20)])).toEqual([['7:8', { onCpuNs: 300, runDelayNs: 20 }]]);
  });

  test('of the command is what it has used since it became itself', () => {
    // It had used 100 until it came in at 1000, and 50 more since.
    const lines = [['began', 1050, 7, 100, 100, 1000, 3], exit(7, 400, 10)];
    expect(timesOf(lines)).toEqual([['7:7', { onCpuNs: 250, runDelayNs: 7 }]]);
  });

  test('of a command that came in unseen is what it has used since it came in', () => {
    const lines = [['began', 1050, 7, 0, 100, 0, 3], exit(7, 400, 10)];
    expect(timesOf(lines)).toEqual([['7:7', { onCpuNs: 300, runDelayNs: 7 }]]);
  });

  test('of a thread that ran before is what it has used since it was named', () => {
    const thread = { pid: 7, tid: 8, comm: 'x', state: 'S' };
    const named = [{ ...thread, cpu: { onCpuNs: 1000, runDelayNs: 100 } }];
    const alive = [{ ...thread, cpu: { onCpuNs: 1300, runDelayNs: 101 } }];
    const used = [['7:8', { onCpuNs: 300, runDelayNs: 1 }]];
    expect(timesOf([], { named }, { alive })).toEqual(used);
    expect(timesOf([exit(8, 1300, 101)], { named })).toEqual(used);
  });

  test('of a thread that was there before, and gone before it was named, is not known', () => {
    const lines = [
      ['start', 1000],
      ['exit', 9000, 7, 8, 999, 'x', 300, 20],
      ['exit', 9000, 7, 9, 1001, 'y', 40, 2],
    ];
    expect(timesOf(lines, { mode: 'attach' })).toEqual([['7:9', { onCpuNs: 40, runDelayNs: 2 }]]);
  });

  test('of a number that is used again is that of all who had it', () => {
    const lines = [exit(8, 300, 20), exit(8, 5, 1)];
    expect(timesOf(lines)).toEqual([['7:8', { onCpuNs: 305, runDelayNs: 21 }]]);
  });

  test('of a thread that ran another program goes to each of its numbers', () => {
    const lines = [exit(7, 100, 1), ['renamed', 5000, 7, 8, 290, 300, 20], exit(7, 1000, 30)];
    expect(timesOf(lines)).toEqual([
      ['7:7', { onCpuNs: 800, runDelayNs: 11 }],
      ['7:8', { onCpuNs: 300, runDelayNs: 20 }],
    ]);
    const recording = recordingOf(lines.map((data) => JSON.stringify({ type: 'value', data })));
    expect([...ranTimes(recording, new Map())]).toEqual([['7:8', 290]]);
  });

  test('is not known without BTF, nor of threads that /proc does not tell of', () => {
    const alive = [{ pid: 7, tid: 8, comm: 'x', state: 'S' }];
    expect(timesOf([['exit', 9000, 7, 9, 5, 'x']], {}, { alive })).toEqual([]);
  });
});

test('time on a CPU from switch to switch is that of all who had a number, and what came before a program took over', () => {
  const lines = [
    ['exit', 9000, 7, 8, 5, 'x', 300, 20, 290],
    ['exit', 9500, 7, 8, 5, 'x', 4, 0, 3],
    ['exit', 9600, 7, 9, 5, 'x'],
  ].map((data) => JSON.stringify({ type: 'value', data }));
  const earlierThreads = [{ key: '7', value: [5, 7, 1, 4, 1000, 0, 0] }];
  expect(ranTimes({ ...recordingOf(lines), earlierThreads }, new Map([['7:7', 50]]))).toEqual(
    new Map([
      ['7:7', 1050],
      ['7:8', 293],
    ]),
  );
});

test('a profile without BTF has no account', () => {
  expect(sleepProfile().account).toBeDefined();
  expect(sleepProfile({ btf: false }).account).toBeUndefined();
});
