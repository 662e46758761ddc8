import { describe, expect, test } from 'vitest';
import type { LiveThread, MappingTexts } from '../../../metrics/facts.ts';
import { addressSpaces, newFrameTable } from '../../../metrics/frames.ts';
import { type OffcpuInput, offcpuMetrics, waitsBetween } from '../../../metrics/offcpu.ts';
import type { Entry } from '../../../parsers/entries.ts';
import { parseKernelSymbols } from '../../../parsers/kernel-symbols.ts';

const NANOSLEEP = '\nffffffff821f94c3\nffffffff8220043e\n';
const FUTEX = '\nffffffff821f94c3\nffffffff8143f416\n';
const DO_EXIT = '\nffffffff821f96d5\nffffffff8135d8c8\n';
const USER = '\n7f195c57f503\n';
const KERNEL_SYMBOLS = parseKernelSymbols(`\
ffffffff8135d600 T do_exit
ffffffff8143f3d0 T futex_do_wait
ffffffff821f94a0 T schedule
ffffffff821f96a0 T __cond_resched
ffffffff822003e0 t do_nanosleep
`);

const NOTHING: OffcpuInput = {
  waits: [],
  extremes: [],
  off: [],
  numbered: new Map(),
  atOnce: true,
  callName: undefined,
  stacks: true,
  named: new Map(),
  comms: new Map(),
  lifetimes: new Map(),
  end: 1_000_000,
  running: new Set(),
};

function namedAs(tid: number, pid: number, blocked?: LiveThread['blocked']): OffcpuInput['named'] {
  return new Map([[tid, { pid, tid, comm: 'x', state: 'S', ...(blocked ? { blocked } : {}) }]]);
}

function wait(key: string, count: number, total: number): Entry {
  return { key, value: { count, average: Math.floor(total / count), total } };
}

/** Nothing is known of user code, unless its mappings are given. */
function metricsOf(input: Partial<OffcpuInput>, mappings: MappingTexts = {}) {
  const symbols = {
    kernel: KERNEL_SYMBOLS.find,
    user: () => undefined,
    frameless: () => false,
    jit: () => undefined,
    buildId: () => undefined,
  };
  const frames = newFrameTable(addressSpaces(mappings), symbols);
  return { ...offcpuMetrics({ ...NOTHING, ...input }, frames), frames: frames.frames };
}

test('extremes of maps that are not of one moment are within what sum and count allow', () => {
  const waits = [wait('10,10,1,1', 3, 3000), wait('11,10,1,1', 2, 100)];
  const extremes = [
    { key: '10,10', value: [900, 1200] },
    { key: '11,10', value: [50_000, 20] },
  ];
  const { metrics } = metricsOf({ waits, extremes, atOnce: false });
  expect(metrics.thread_stats).toMatchObject({
    '10:10': { min_time_ns: 1000, avg_time_ns: 1000, max_time_ns: 1000 },
    '10:11': { min_time_ns: 20, avg_time_ns: 50, max_time_ns: 100 },
  });
});

describe('totals', () => {
  const { metrics } = metricsOf({
    waits: [
      wait(`10,10,1,1,${NANOSLEEP},${USER}`, 2, 3000),
      wait(`10,10,1,0,${FUTEX},${USER}`, 1, 100),
      wait(`11,10,1,1,${NANOSLEEP},${USER}`, 1, 900),
    ],
    extremes: [
      { key: '10,10', value: [2000, 100] },
      { key: '11,10', value: [900, 900] },
    ],
    comms: new Map([[10, 'main']]),
    lifetimes: new Map([['10:10', 5000]]),
  });

  test('are of all threads together', () => {
    expect(metrics).toMatchObject({
      total_time_ns: 4000,
      total_events: 4,
      avg_time_ns: 1000,
      max_time_ns: 2000,
      min_time_ns: 100,
    });
  });

  test('are kept by thread, with its name and lifetime where they are known', () => {
    expect(metrics.thread_stats).toEqual({
      '10:10': {
        tid: 10,
        comm: 'main',
        total_time_ns: 3100,
        count: 3,
        avg_time_ns: 1033,
        max_time_ns: 2000,
        min_time_ns: 100,
        lifetime_ns: 5000,
      },
      '10:11': {
        tid: 11,
        comm: null,
        total_time_ns: 900,
        count: 1,
        avg_time_ns: 900,
        max_time_ns: 900,
        min_time_ns: 900,
        lifetime_ns: null,
      },
    });
  });

  test('are ranked with their shares', () => {
    expect(metrics.top_blocking_threads).toEqual([
      { pid: 10, tid: 10, time_ms: 0.0031, percentage: 77.5 },
      { pid: 10, tid: 11, time_ms: 0.0009, percentage: 22.5 },
    ]);
  });

  test('add up to those of the stacks', () => {
    expect(metrics.stacks.reduce((sum, stack) => sum + stack.time_ns, 0)).toBe(metrics.total_time_ns);
    expect(metrics.stacks.reduce((sum, stack) => sum + stack.count, 0)).toBe(metrics.total_events);
    expect(metrics.stacks.map((stack) => stack.time_ns)).toEqual([3000, 900, 100]);
  });
});

test('no waits are no time, and divide nothing by zero', () => {
  expect(metricsOf({}).metrics).toMatchObject({
    total_time_ns: 0,
    total_events: 0,
    avg_time_ns: 0,
    max_time_ns: 0,
    min_time_ns: 0,
    thread_stats: {},
    top_blocking_threads: [],
    stacks: [],
    still_blocked: [],
    bottlenecks: [],
  });
});

test('ten threads are at the top, all are in the table', () => {
  const waits = Array.from({ length: 13 }, (_, i) => wait(`${i + 1},1,1,1`, 1, 100 + i));
  const { metrics } = metricsOf({ waits, stacks: false });
  expect(metrics.top_blocking_threads.map((t) => t.tid)).toEqual([13, 12, 11, 10, 9, 8, 7, 6, 5, 4]);
  expect(Object.keys(metrics.thread_stats)).toHaveLength(13);
});

describe('stacks', () => {
  test('keys that print alike are one row with the counts of all', () => {
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
  ])('so are those that lack a stack, as %s', (_, key) => {
    const { metrics } = metricsOf({ waits: [wait(key, 3, 300), wait(key, 5, 500)] });
    expect(metrics.stacks).toMatchObject([{ count: 8, time_ns: 800 }]);
  });

  test('the same stack in another state or thread is another row', () => {
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

  test('those of --no-stacks are empty, and not missing', () => {
    const { metrics, stacksMissing } = metricsOf({ waits: [wait('7,7,1,1', 3, 300)], stacks: false });
    expect(metrics.stacks).toMatchObject([{ user: [], kernel: [] }]);
    expect(stacksMissing).toBe(0);
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
  ])('missing: %s', (_, key, missing) => {
    expect(metricsOf({ waits: [wait(key, 3, 300)] }).stacksMissing).toBe(missing);
  });
});

describe('user stacks that go on where there is no code', () => {
  const mappings = { '7:1': '7f195c4d6000-7f195c62b000 r-xp 00026000 fe:00 338951 /lib/libc.so.6\n' };
  const user = (...words: string[]) => `\n7f195c57f503\n${words.join('\n')}\n`;
  const key = (words: string, pid = 7, kernel = NANOSLEEP) => `${pid},${pid},1,1,${kernel},${words}`;

  test('are cut there, each row with the number of words that are left out', () => {
    const waits = [
      wait(key(user('5f5e100', '42')), 9, 900),
      wait(key(user('7f195c57f510', '42')), 5, 500),
      wait(key(user('7f195c57f510')), 1, 100),
    ];
    const { metrics, framesCut, stacksMissing } = metricsOf({ waits }, mappings);
    expect(metrics.stacks.map((row) => [row.user.length, row.user_cut])).toEqual([
      [1, 2],
      [2, 1],
      [2, 0],
    ]);
    expect({ framesCut, stacksMissing }).toEqual({ framesCut: 3, stacksMissing: 0 });
  });

  test('are whole in a process that nothing is known of', () => {
    const { metrics, framesCut } = metricsOf(
      { waits: [wait(key(user('5f5e100', '42'), 8), 1, 1)] },
      mappings,
    );
    expect(metrics.stacks).toMatchObject([{ user: [0, 1, 2], user_cut: 0 }]);
    expect(framesCut).toBe(0);
  });

  test('that print alike and lack the other stack are one row, cut once', () => {
    const alike = key(user('5f5e100'), 7, '');
    const { metrics, framesCut } = metricsOf({ waits: [wait(alike, 3, 300), wait(alike, 5, 500)] }, mappings);
    expect(metrics.stacks).toMatchObject([{ count: 8, user: [0], user_cut: 1 }]);
    expect(framesCut).toBe(1);
  });

  test('of what is still blocked are cut and counted, too', () => {
    const off = [{ key: '7', value: [900_000, 7, 1, 1, NANOSLEEP, user('5f5e100', '42')] }];
    const { metrics, framesCut } = metricsOf({ off, waits: [wait(key(user('8')), 1, 1)] }, mappings);
    expect(metrics.still_blocked).toMatchObject([{ user: [0], user_cut: 2 }]);
    expect(framesCut).toBe(3);
  });
});

describe('threads named by their id alone', () => {
  const named = new Map([...namedAs(21098, 21008), ...namedAs(21008, 21008)]);

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

describe('what is still blocked', () => {
  const off = [
    { key: '10', value: [900_000, 10, 1, 1, NANOSLEEP, USER] },
    { key: '11', value: [400_000, 11, 1, 4096, NANOSLEEP, USER] },
  ];

  test('is listed longest first, and is not in the totals', () => {
    const { metrics } = metricsOf({ off, named: namedAs(11, 10), comms: new Map([[11, 'worker']]) });
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

  test('since before the start has the stack that /proc has', () => {
    const kernel = [{ address: '0xffffffff8143f416', symbol: 'futex_do_wait', offset: 70 }];
    const named = namedAs(11, 10, { kernel, user: '7f195c57f503' });
    const { metrics, frames } = metricsOf({ off, named });
    const [since] = metrics.still_blocked;
    expect(since?.kernel.map((i) => frames[i]?.symbol)).toEqual(['futex_do_wait']);
    expect(since?.user.map((i) => frames[i]?.address)).toEqual(['0x7f195c57f503']);
  });

  test('since before the start has no stack where /proc has none', () => {
    const { metrics } = metricsOf({ off, named: namedAs(11, 11, { kernel: [], user: '' }) });
    expect(metrics.still_blocked[0]).toMatchObject({ tid: 11, kernel: [], user: [] });
  });

  test('since the start has its own stack, whatever /proc has', () => {
    const kernel = [{ address: '0xffffffff8143f416', symbol: 'futex_do_wait', offset: 70 }];
    const { metrics, frames } = metricsOf({ off, named: namedAs(10, 10, { kernel, user: '' }) });
    const wait = metrics.still_blocked.find(({ tid }) => tid === 10);
    expect(wait?.kernel.map((i) => frames[i]?.symbol)).toEqual(['schedule', 'do_nanosleep']);
  });

  test('is not a thread that was named and ran all the time', () => {
    const { metrics } = metricsOf({ off, running: new Set([10, 11]) });
    expect(metrics.still_blocked.map((wait) => wait.tid)).toEqual([10]);
  });

  test('is not a wait that began after the end', () => {
    expect(metricsOf({ off, end: 500_000 }).metrics.still_blocked.map((wait) => wait.tid)).toEqual([11]);
  });
});

test('what cannot be read is counted, whatever map it is in', () => {
  const bad = { key: 'x', value: 'y' };
  const broken = { key: '7,7,1,1', value: undefined };
  const input = { waits: [bad, broken, wait('7,7,1,1', 1, 1)], extremes: [bad], off: [bad] };
  const { metrics, unreadable } = metricsOf(input);
  expect(unreadable).toBe(4);
  expect(metrics.total_events).toBe(1);
});

/** Of a shell and its child, printed by bpftrace 0.17 at two ends of an interval. */
describe('between two prints', () => {
  const before = [wait('865,865,1,2', 1, 245376), wait('865,865,1,0', 1, 326497)];
  const now = [
    wait('1357,1357,1,256', 1, 7901),
    wait('865,865,1,2', 2, 343963),
    wait('865,865,1,0', 1, 326497),
    wait('865,865,1,1', 1, 64210551),
  ];

  test('what is new or grew is left', () => {
    expect(waitsBetween(now, before)).toEqual([
      { key: '1357,1357,1,256', value: { count: 1, total: 7901 } },
      { key: '865,865,1,2', value: { count: 1, total: 98587 } },
      { key: '865,865,1,1', value: { count: 1, total: 64210551 } },
    ]);
  });

  test('nothing is left when nothing happened', () => {
    expect(waitsBetween(now, now)).toEqual([]);
  });

  test('keys that print alike lose no counts, in whatever order they come', () => {
    const earlier = [wait('7,7,1,1,,', 3, 300), wait('7,7,1,1,,', 5, 500)];
    const later = [wait('7,7,1,1,,', 7, 700), wait('7,7,1,1,,', 4, 400)];
    expect(waitsBetween(later, earlier)).toEqual([{ key: '7,7,1,1,,', value: { count: 3, total: 300 } }]);
  });

  test('values that cannot be read are passed over', () => {
    expect(waitsBetween([{ key: '7,7,1,1', value: null }, ...now.slice(0, 1)], [])).toHaveLength(1);
  });
});
