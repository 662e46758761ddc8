import { expect, test } from 'vitest';
import { groupBy, sum, sumBy, waitSumOf, waitSumsBy } from '../../../metrics/sums.ts';

const calls = [
  { name: 'read', count: 23 },
  { name: 'write', count: 7 },
  { name: 'read', count: 11 },
];

test('sum adds the numbers of any iterable, and nothing gives 0', () => {
  expect(sum([2, 3, 5])).toBe(10);
  expect(
    sum(
      new Map([
        ['a', 2],
        ['b', 3],
      ]).values(),
    ),
  ).toBe(5);
  expect(sum([])).toBe(0);
});

test('sumBy adds amounts by key, in the order in which keys first occur', () => {
  expect([
    ...sumBy(
      calls,
      ({ name }) => name,
      ({ count }) => count,
    ),
  ]).toEqual([
    ['read', 34],
    ['write', 7],
  ]);
});

test('groupBy collects rows with the same key, in the order in which keys first occur', () => {
  expect(groupBy(calls, ({ name }) => name).map((group) => group.map(({ count }) => count))).toEqual([
    [23, 11],
    [7],
  ]);
});

test('waits are summed by key, and no waits give 0', () => {
  const rows = [
    { name: 'a', time_ns: 5, count: 1 },
    { name: 'b', time_ns: 7, count: 2 },
    { name: 'a', time_ns: 11, count: 3 },
  ];
  expect(waitSumOf([])).toEqual({ time_ns: 0, count: 0 });
  expect(waitSumOf(rows)).toEqual({ time_ns: 23, count: 6 });
  expect([...waitSumsBy(rows, ({ name }) => name)]).toEqual([
    ['a', { time_ns: 16, count: 4 }],
    ['b', { time_ns: 7, count: 2 }],
  ]);
});
