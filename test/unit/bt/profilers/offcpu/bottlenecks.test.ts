import { describe, expect, test } from 'vitest';
import { bottlenecks, countsOf, hottestWaits } from '../../../../../bt/profilers/offcpu/bottlenecks.ts';
import type { Offcpu } from '../../../../../bt/profilers/offcpu/off-schema.ts';
import { KIND_TEXTS } from '../../../../../bt/profilers/offcpu/reason-table.ts';
import { callChains } from '../../../../../metrics/call-chain.ts';
import { sleepProfile } from '../../../sleep-recording.ts';

const SLEEP = sleepProfile().ebpf.offcpu as Offcpu;
const STUCK: Offcpu['still_blocked'][number] = {
  pid: 7,
  tid: 8,
  comm: null,
  blocked_ns: 2_500_000_000,
  state: 'S',
  reason: 'sleep',
  idle: null,
  since_start: false,
  user: [],
  user_cut: 0,
  user_incomplete: false,
  kernel: [],
};

function offcpu(changes: Partial<Offcpu>): Offcpu {
  return { ...SLEEP, ...changes };
}

/** Index of the kernel frame with this symbol. */
const frame = (symbol: string) => SLEEP.frames.findIndex((f) => f.symbol === symbol);

const NANOSLEEP = '[clock_nanosleep, do_nanosleep]';

describe('where the time went', () => {
  const hottest = (stacks: Offcpu['stacks']) =>
    hottestWaits(stacks, callChains(SLEEP.frames, KIND_TEXTS)).map(({ reason, timeNs, rows }) => [
      reason,
      timeNs,
      rows.length,
    ]);

  test('waits with the same reason and call chain are merged, longest first', () => {
    const [first] = SLEEP.stacks as [Offcpu['stacks'][number]];
    expect(hottest([...SLEEP.stacks, { ...first, tid: 9 }])).toEqual([
      ['sleep', 200187218, 2],
      ['preempted', 54311, 1],
    ]);
  });

  test('waits and threads are counted', () => {
    const [first] = SLEEP.stacks as [Offcpu['stacks'][number]];
    expect(countsOf([first, { ...first, tid: 9, count: 4 }, { ...first, count: 2 }])).toEqual({
      waits: 7,
      threads: 2,
    });
  });
});

describe('sentences', () => {
  test('state the main reason, and the thread that waited longest', () => {
    expect(bottlenecks(SLEEP)).toEqual([
      `Sleeps account for 99.9 % of non-idle off-CPU time: ${NANOSLEEP} (100.1 ms in 1 wait of 1 thread).`,
      'Thread 26857:26857 (sleep) was off the CPU for 97.2 % of the 103.0 ms it was watched.',
    ]);
  });

  test('do not name functions for preempted threads, which may be anywhere', () => {
    const stacks = SLEEP.stacks.map((row) => ({ ...row, reason: 'preempted' as const }));
    expect(bottlenecks(offcpu({ stacks }))[0]).toMatch(/^Preemptions .+: ready, waiting for a CPU \(/);
  });

  test('do not exist without waits', () => {
    expect(bottlenecks(offcpu({ stacks: [], thread_stats: {}, total_time_ns: 0, total_events: 0 }))).toEqual(
      [],
    );
  });

  test('do not exist for a wait below 30 %', () => {
    const [row] = SLEEP.stacks as [Offcpu['stacks'][number]];
    const four = (['lock', 'disk', 'pipe', 'sleep'] as const).map((reason) => ({ ...row, reason }));
    const [first] = bottlenecks(offcpu({ stacks: four }));
    expect(first).toMatch(/^Thread /);
  });

  test('name a single stuck thread with its wait site', () => {
    const still_blocked = [{ ...STUCK, kernel: [frame('schedule'), frame('do_nanosleep')] }];
    expect(bottlenecks(offcpu({ still_blocked }))[0]).toBe(
      'Thread 7:8 was still off the CPU at the end, for 2.50 s, sleep: [do_nanosleep].',
    );
  });

  test('report that a thread was stuck since before the start', () => {
    const still_blocked = [{ ...STUCK, since_start: true }];
    expect(bottlenecks(offcpu({ still_blocked }))[0]).toBe(
      'Thread 7:8 was still off the CPU at the end, since before the start, for 2.50 s.',
    );
  });

  test('count several stuck threads and state the longest wait', () => {
    const still_blocked = [STUCK, { ...STUCK, tid: 9, blocked_ns: 5 }];
    expect(bottlenecks(offcpu({ still_blocked }))[0]).toBe(
      '2 threads were still off the CPU at the end, the longest for 2.50 s.',
    );
  });

  test('are not dominated by a parent that waits for its children', () => {
    const [row] = SLEEP.stacks as [Offcpu['stacks'][number]];
    const parent = { ...row, pid: 1, tid: 1, reason: 'child' as const, time_ns: 1e12 };
    const [thread] = Object.values(SLEEP.thread_stats) as [Offcpu['thread_stats'][string]];
    const thread_stats = { ...SLEEP.thread_stats, '1:1': { ...thread, tid: 1 } };
    const both = offcpu({ stacks: [parent, ...SLEEP.stacks], thread_stats });
    const [sentence, ...others] = bottlenecks(SLEEP);
    const named = [sentence?.replace('off-CPU time:', 'off-CPU time without waits for children:'), ...others];
    expect(bottlenecks(both)).toEqual(named);
    const waiting = { ...STUCK, pid: 1, tid: 1, reason: 'child' as const, blocked_ns: 1e12 };
    expect(bottlenecks(offcpu({ still_blocked: [waiting] }))).toEqual(named);
    const alone = { ...parent, pid: 26857, tid: 26857 };
    expect(bottlenecks(offcpu({ stacks: [alone] }))[0]).toMatch(
      /^Child processes account for 100\.0 % of non-idle off-CPU time: /,
    );
  });

  test('do not exist for a short wait at the end', () => {
    const [first] = bottlenecks(offcpu({ still_blocked: [{ ...STUCK, blocked_ns: 40_000_000 }] }));
    expect(first).toMatch(/^Sleeps account for 71\.4 % of non-idle off-CPU time: /);
  });

  test('omit short waits if much longer ones are still open', () => {
    const still_blocked = [{ ...STUCK, blocked_ns: 1e12 }];
    expect(bottlenecks(offcpu({ still_blocked }))).toEqual([
      expect.stringMatching(/^Thread 7:8 was still off the CPU at the end/),
      expect.stringMatching(/^Thread 26857:26857 /),
    ]);
  });

  test('do not call idle threads stuck', () => {
    const still_blocked = [{ ...STUCK, idle: 'events' as const }];
    expect(bottlenecks(offcpu({ still_blocked }))).toEqual(bottlenecks(SLEEP));
  });

  test('report only the idle time if it is nearly all time', () => {
    const stacks = SLEEP.stacks.map((row) => ({ ...row, idle: 'events' as const }));
    const idle = { time_ns: SLEEP.total_time_ns, count: 2, by_kind: { events: { time_ns: 1, count: 2 } } };
    expect(bottlenecks(offcpu({ stacks, idle }))).toEqual([
      'Idle waits account for 100.0 % of off-CPU time: waiting for work (events).',
    ]);
  });

  test('ignore waits below 1 % of the lifetime of all threads', () => {
    const [key, thread] = Object.entries(SLEEP.thread_stats)[0] as [string, Offcpu['thread_stats'][string]];
    const living = (lifetime_ns: number) =>
      bottlenecks(offcpu({ thread_stats: { [key]: { ...thread, lifetime_ns } } }));
    expect(living(99 * SLEEP.total_time_ns)).toEqual([expect.stringMatching(/^Sleeps account for /)]);
    expect(living(101 * SLEEP.total_time_ns)).toEqual([]);
  });

  test('without stacks name only the thread', () => {
    const stacks = SLEEP.stacks.map((row) => ({ ...row, reason: 'other' as const, kernel: [], user: [] }));
    expect(bottlenecks(offcpu({ stacks }))).toEqual([expect.stringMatching(/^Thread 26857:26857 /)]);
  });

  test('do not exist for a thread of unknown lifetime', () => {
    const [key, thread] = Object.entries(SLEEP.thread_stats)[0] as [string, Offcpu['thread_stats'][string]];
    const thread_stats = { [key]: { ...thread, lifetime_ns: null } };
    expect(bottlenecks(offcpu({ thread_stats }))).toHaveLength(1);
  });
});
