import { describe, expect, test } from 'vitest';
import { waitsBetween } from '../../../metrics/offcpu.ts';
import { FUTEX, metricsOf, NANOSLEEP, USER, wait } from './offcpu-metrics.ts';

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
