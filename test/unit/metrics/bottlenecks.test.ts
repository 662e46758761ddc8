import { describe, expect, test } from 'vitest';
import { bottlenecks, hottestSites, siteOf } from '../../../metrics/bottlenecks.ts';
import type { Offcpu } from '../../../metrics/schema.ts';
import { sleepProfile } from '../sleep-recording.ts';

const SLEEP = sleepProfile().ebpf.offcpu as Offcpu;
const STUCK: Offcpu['still_blocked'][number] = {
  pid: 7,
  tid: 8,
  comm: null,
  blocked_ns: 2_500_000_000,
  state: 'S',
  reason: 'other',
  since_start: false,
  user: [],
  user_cut: 0,
  user_incomplete: false,
  kernel: [],
};

function offcpu(changes: Partial<Offcpu>): Offcpu {
  return { ...SLEEP, ...changes };
}

/** Index of the kernel frame of that symbol. */
const frame = (symbol: string) => SLEEP.frames.findIndex((f) => f.symbol === symbol);

describe('where time went', () => {
  test('sites are kernel functions, longest first', () => {
    expect(hottestSites(SLEEP)).toEqual([
      { site: 'do_nanosleep', timeNs: 100093609, count: 1 },
      { site: 'ready, waiting for a CPU', timeNs: 54311, count: 1 },
    ]);
  });

  test('different stacks of one site are one row', () => {
    const [first] = SLEEP.stacks;
    const stacks = [first, { ...first, tid: 9, kernel: [frame('do_nanosleep')] }] as Offcpu['stacks'];
    expect(hottestSites({ stacks, frames: SLEEP.frames })).toEqual([
      { site: 'do_nanosleep', timeNs: 200187218, count: 2 },
    ]);
  });

  test('waits without a kernel stack have no site', () => {
    const stacks = SLEEP.stacks.map((stack) => ({ ...stack, kernel: [] }));
    expect(hottestSites({ stacks, frames: SLEEP.frames })).toEqual([]);
  });

  test('a stack of scheduler functions only is unknown', () => {
    expect(siteOf({ state: 'S', kernel: [frame('schedule')] }, SLEEP.frames)).toBe('unknown');
  });
});

describe('sentences', () => {
  test('of sleep', () => {
    expect(bottlenecks(SLEEP)).toEqual([
      '99.9 % of all off-CPU time was in do_nanosleep (100.1 ms in 1 wait).',
      'Thread 26857:26857 (sleep) was off the CPU for 97.2 % of the 103.0 ms it was watched.',
    ]);
  });

  test('there are none without figures', () => {
    expect(bottlenecks(offcpu({ stacks: [], thread_stats: {}, total_time_ns: 0, total_events: 0 }))).toEqual(
      [],
    );
  });

  test('a site below 30 % is not worth one', () => {
    const [first] = bottlenecks(offcpu({ total_time_ns: 400_000_000 }));
    expect(first).toMatch(/^Thread /);
  });

  test('one stuck thread is named, with its site', () => {
    const still_blocked = [{ ...STUCK, kernel: [frame('schedule'), frame('do_nanosleep')] }];
    expect(bottlenecks(offcpu({ still_blocked }))[0]).toBe(
      'Thread 7:8 was still off the CPU at the end, for 2.50 s in do_nanosleep.',
    );
  });

  test('one that was stuck from the start is said to be', () => {
    const still_blocked = [{ ...STUCK, since_start: true }];
    expect(bottlenecks(offcpu({ still_blocked }))[0]).toBe(
      'Thread 7:8 was still off the CPU at the end, since before the start, for 2.50 s.',
    );
  });

  test('several stuck threads are counted, and the longest wait is given', () => {
    const still_blocked = [STUCK, { ...STUCK, tid: 9, blocked_ns: 5 }];
    expect(bottlenecks(offcpu({ still_blocked }))[0]).toBe(
      '2 threads were still off the CPU at the end, the longest for 2.50 s.',
    );
  });

  test('a thread of unknown lifetime has none', () => {
    const [key, thread] = Object.entries(SLEEP.thread_stats)[0] as [string, Offcpu['thread_stats'][string]];
    const thread_stats = { [key]: { ...thread, lifetime_ns: null } };
    expect(bottlenecks(offcpu({ thread_stats }))).toHaveLength(1);
  });
});
