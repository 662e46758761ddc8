import { describe, expect, test } from 'vitest';
import { sumEntry as wait } from '../../../printed-lines.ts';
import { DO_EXIT, FUTEX, metricsOf, NANOSLEEP, thread, USER } from './offcpu-metrics.ts';

describe('the stacks of waits', () => {
  test('that print alike become one row with the sum of their counts', () => {
    const { metrics } = metricsOf({
      waits: [wait('7,7,1,1,,', 3, 300), wait('7,7,1,1,,', 5, 500), wait('7,7,1,1,,', 1, 10)],
    });
    expect(metrics.stacks).toMatchObject([{ count: 9, time_ns: 810, user: [], kernel: [] }]);
    expect(metrics.total_events).toBe(9);
  });

  test.each([
    ['of the kernel', `7,7,1,1,,${USER}`],
    ['of user code', `7,7,1,1,${NANOSLEEP},`],
    ['of --no-stacks', '7,7,1,1'],
  ])('that print alike and lack a stack, such as %s, become one row too', (_, key) => {
    const { metrics } = metricsOf({ waits: [wait(key, 3, 300), wait(key, 5, 500)] });
    expect(metrics.stacks).toMatchObject([{ count: 8, time_ns: 800 }]);
  });

  test('differ by state or thread', () => {
    const key = (tid: number, state: number) => `${tid},7,1,${state},${FUTEX},${USER}`;
    const { metrics, frames } = metricsOf({
      waits: [wait(key(7, 1), 1, 3), wait(key(7, 0), 1, 2), wait(key(8, 1), 1, 1)],
    });
    expect(metrics.stacks.map(({ tid, state }) => [tid, state])).toEqual([
      [7, 'S'],
      [7, 'R'],
      [8, 'S'],
    ]);
    expect(frames.map((frame) => frame.symbol)).toEqual([null, 'schedule', 'futex_do_wait']);
  });

  test('are empty with --no-stacks, but not missing', () => {
    const { metrics, stacks_missing } = metricsOf({ waits: [wait('7,7,1,1', 3, 300)], stacks: false });
    expect(metrics.stacks).toMatchObject([{ user: [], kernel: [] }]);
    expect(stacks_missing).toBe(0);
  });

  test.each([
    ['kernel', `7,7,1,1,,${USER}`, 3],
    ['user', `7,7,1,1,${NANOSLEEP},`, 3],
    ['no', `7,7,1,1,${NANOSLEEP},${USER}`, 0],
    ['user, of a thread that exits', `7,7,1,1,${DO_EXIT},`, 0],
    ['both, of a wait since before the start', '7,7,1,4096,,', 0],
    ['kernel, printed as a newline', `7,7,1,1,\n,${USER}`, 3],
    ['user, printed as a newline', `7,7,1,1,${NANOSLEEP},\n`, 3],
    ['user, as a newline, of a thread that exits', `7,7,1,1,${DO_EXIT},\n`, 0],
  ])('count as missing: %s', (_, key, missing) => {
    expect(metricsOf({ waits: [wait(key, 3, 300)] }).stacks_missing).toBe(missing);
  });
});

describe('user stacks that continue outside of code', () => {
  const mappings = { '7:1': '7f195c4d6000-7f195c62b000 r-xp 00026000 fe:00 338951 /lib/libc.so.6\n' };
  const user = (...words: string[]) => `\n7f195c57f503\n${words.join('\n')}\n`;
  const key = (words: string, pid = 7, kernel = NANOSLEEP) => `${pid},${pid},1,1,${kernel},${words}`;

  test('are cut there, and each row has the number of words cut off', () => {
    const waits = [
      wait(key(user('5f5e100', '42')), 9, 900),
      wait(key(user('7f195c57f510', '42')), 5, 500),
      wait(key(user('7f195c57f510')), 1, 100),
    ];
    const { metrics, frames_cut, stacks_missing } = metricsOf({ waits }, mappings);
    expect(metrics.stacks.map((row) => [row.user.length, row.user_cut])).toEqual([
      [1, 2],
      [2, 1],
      [2, 0],
    ]);
    expect({ frames_cut, stacks_missing }).toEqual({ frames_cut: 3, stacks_missing: 0 });
  });

  test('are not cut in a process with unknown mappings', () => {
    const { metrics, frames_cut } = metricsOf(
      { waits: [wait(key(user('5f5e100', '42'), 8), 1, 1)] },
      mappings,
    );
    expect(metrics.stacks).toMatchObject([{ user: [0, 1, 2], user_cut: 0 }]);
    expect(frames_cut).toBe(0);
  });

  test('that print alike and lack the kernel stack become one row, cut once', () => {
    const alike = key(user('5f5e100'), 7, '');
    const { metrics, frames_cut } = metricsOf(
      { waits: [wait(alike, 3, 300), wait(alike, 5, 500)] },
      mappings,
    );
    expect(metrics.stacks).toMatchObject([{ count: 8, user: [0], user_cut: 1 }]);
    expect(frames_cut).toBe(1);
  });

  test('are also cut and counted in threads that are still blocked', () => {
    const off = [{ key: '7', value: [900_000, 7, 1, 1, 0, 0, 0, NANOSLEEP, user('5f5e100', '42')] }];
    const { metrics, frames_cut } = metricsOf({ off, waits: [wait(key(user('8')), 1, 1)] }, mappings);
    expect(metrics.still_blocked).toMatchObject([{ user: [0], user_cut: 2 }]);
    expect(frames_cut).toBe(3);
  });
});

describe('threads named only by their tid', () => {
  const named = [thread(21008, 21098), thread(21008, 21008)];

  test('belong to their process', () => {
    const { metrics } = metricsOf({
      waits: [wait('21098,21098,1,4096,,', 1, 10), wait('21098,21008,1,1,,', 1, 5)],
      extremes: [
        { key: '21098,21098', value: [10, 10] },
        { key: '21098,21008', value: [5, 5] },
      ],
      named,
    });
    expect(metrics.thread_stats).toMatchObject({
      '21008:21098': { count: 2, total_time_ns: 15, max_time_ns: 10, min_time_ns: 5 },
    });
    expect(Object.keys(metrics.thread_stats)).toHaveLength(1);
  });
});

describe('a thread that is still blocked', () => {
  const off = [
    { key: '10', value: [900_000, 10, 1, 1, 70, 0, 0, NANOSLEEP, USER] },
    { key: '11', value: [400_000, 11, 1, 4096, 0, 0, 0, NANOSLEEP, USER] },
  ];
  /** Both threads are ready at the end. The values are their CPU times since they were named. */
  const ready = (usedNs: number) => {
    const both = (state: string, onCpuNs: number) =>
      [10, 11].map((tid) => thread(tid, tid, { state, cpu: { onCpuNs, runDelayNs: 0 } }));
    return { named: both('S', 500), alive: both('R', 500 + usedNs) };
  };

  test('is listed longest first, and is not in the totals', () => {
    const { metrics } = metricsOf({ off, named: [thread(10, 11, { comm: 'worker' })] });
    expect(metrics.still_blocked).toMatchObject([
      {
        pid: 10,
        tid: 11,
        comm: 'worker',
        blocked_ns: 600_000,
        state: 'S',
        since_start: true,
        user: [],
        user_cut: 0,
        kernel: [],
      },
      {
        pid: 10,
        tid: 10,
        comm: null,
        blocked_ns: 100_000,
        state: 'S',
        since_start: false,
        user: [0],
        user_cut: 0,
        kernel: [1, 2],
      },
    ]);
    expect(metrics.total_events).toBe(0);
  });

  test('since before the start has the stack from /proc', () => {
    const kernel = [{ address: '0xffffffff8143f416', symbol: 'futex_do_wait', offset: 70 }];
    const named = [thread(10, 11, { blocked: { kernel, user: '7f195c57f503' } })];
    const { metrics, frames } = metricsOf({ off, named });
    const [since] = metrics.still_blocked;
    expect(since?.kernel.map((i) => frames[i]?.symbol)).toEqual(['futex_do_wait']);
    expect(since?.user.map((i) => frames[i]?.address)).toEqual(['0x7f195c57f503']);
  });

  test('since before the start has no stack if /proc shows none', () => {
    const { metrics } = metricsOf({ off, named: [thread(11, 11, { blocked: { kernel: [], user: '' } })] });
    expect(metrics.still_blocked[0]).toMatchObject({ tid: 11, kernel: [], user: [] });
  });

  test('since a later time has its own stack, not that from /proc', () => {
    const kernel = [{ address: '0xffffffff8143f416', symbol: 'futex_do_wait', offset: 70 }];
    const { metrics, frames } = metricsOf({
      off,
      named: [thread(10, 10, { blocked: { kernel, user: '' } })],
    });
    const wait = metrics.still_blocked.find(({ tid }) => tid === 10);
    expect(wait?.kernel.map((i) => frames[i]?.symbol)).toEqual(['schedule', 'do_nanosleep']);
  });

  test('is not one that was named while it ran and never left its CPU', () => {
    const { metrics } = metricsOf({ off, ...ready(999_000) });
    expect(metrics.still_blocked.map((wait) => wait.tid)).toEqual([10]);
  });

  test('may be one that was ready and never got a CPU', () => {
    const { metrics } = metricsOf({ off, ...ready(1000) });
    expect(metrics.still_blocked.map((wait) => wait.tid)).toEqual([11, 10]);
  });

  test('is not one whose wait began after the end', () => {
    expect(metricsOf({ off, end: 500_000 }).metrics.still_blocked.map((wait) => wait.tid)).toEqual([11]);
  });
});
