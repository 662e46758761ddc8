import { describe, expect, test } from 'vitest';
import { sumEntry as wait } from '../../../printed-lines.ts';
import { FUTEX, metricsOf, NANOSLEEP, thread, USER } from './offcpu-metrics.ts';

test('extremes printed after the sums are limited by sum and count', () => {
  const waits = [wait('10,10,1,1', 3, 3000), wait('11,10,1,1', 2, 100)];
  const extremes = [
    { key: '10,10', value: [900, 1200] },
    { key: '11,10', value: [50_000, 20] },
  ];
  const { metrics } = metricsOf({ waits, extremes, atInterval: true });
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
    named: [thread(10, 10, { namedNs: 995_000 })],
    alive: [thread(10, 10, { comm: 'main' })],
  });

  test('sum up all threads', () => {
    expect(metrics).toMatchObject({
      total_time_ns: 4000,
      total_events: 4,
      avg_time_ns: 1000,
      max_time_ns: 2000,
      min_time_ns: 100,
    });
  });

  test('are listed by thread, with its name and lifetime if known', () => {
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

  test('are ranked, with their shares', () => {
    expect(metrics.top_blocking_threads).toEqual([
      { pid: 10, tid: 10, time_ms: 0.0031, percentage: 77.5 },
      { pid: 10, tid: 11, time_ms: 0.0009, percentage: 22.5 },
    ]);
  });

  test('equal the sums of the stacks', () => {
    expect(metrics.stacks.reduce((sum, stack) => sum + stack.time_ns, 0)).toBe(metrics.total_time_ns);
    expect(metrics.stacks.reduce((sum, stack) => sum + stack.count, 0)).toBe(metrics.total_events);
    expect(metrics.stacks.map((stack) => stack.time_ns)).toEqual([3000, 900, 100]);
  });
});

test('are 0 without waits', () => {
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

test('include the ten threads that waited longest, and a table of all', () => {
  const waits = Array.from({ length: 13 }, (_, i) => wait(`${i + 1},1,1,1`, 1, 100 + i));
  const { metrics } = metricsOf({ waits, stacks: false });
  expect(metrics.top_blocking_threads.map((t) => t.tid)).toEqual([13, 12, 11, 10, 9, 8, 7, 6, 5, 4]);
  expect(Object.keys(metrics.thread_stats)).toHaveLength(13);
});

test('include unreadable entries of all maps', () => {
  const bad = { key: 'x', value: 'y' };
  const broken = { key: '7,7,1,1', value: null };
  const input = { waits: [bad, broken, wait('7,7,1,1', 1, 1)], extremes: [bad], off: [bad] };
  const { metrics, unreadable } = metricsOf(input);
  expect(unreadable).toBe(4);
  expect(metrics.total_events).toBe(1);
});
