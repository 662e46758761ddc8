import { expect, test } from 'vitest';
import { groupBy, sum, sumBy } from '../../../metrics/sums.ts';

const calls = [
  { name: 'read', count: 23 },
  { name: 'write', count: 7 },
  { name: 'read', count: 11 },
];

test('sum adds the numbers of any iterable, and nothing makes 0', () => {
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

test('sumBy adds amounts up by key, in the order in which keys first occur', () => {
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

test('groupBy puts rows with the same key together, in the order in which keys first occur', () => {
  expect(groupBy(calls, ({ name }) => name).map((group) => group.map(({ count }) => count))).toEqual([
    [23, 11],
    [7],
  ]);
});
