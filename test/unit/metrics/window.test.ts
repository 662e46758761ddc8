import { expect, test } from 'vitest';
import { id, word } from '../../../bt/map-reader.ts';
import { counts, extremes, record, sums } from '../../../bt/maps.ts';
import { newReading } from '../../../metrics/window.ts';
import type { MapEntry } from '../../../parsers/entries.ts';
import { sumEntry } from '../printed-lines.ts';

const CALLS = counts('@calls', { pid: id });
const SLOWEST = extremes('@slowest', { pid: id });
const OFF = record('@off', { tid: id }, { since: word, pid: id }, { role: 'leftover', seeded: true });
const WAITS = sums('@waits', { tid: id, pid: id, generation: id }, { stacks: true });
const NOBODY = new Map();

const entry = (key: string, value: unknown): MapEntry => ({ key, value });
const maps = (all: Record<string, readonly MapEntry[]>) => new Map(Object.entries(all));

test('the whole collection has the rows of all printed maps, and no others', () => {
  const reading = newReading(
    maps({ '@calls': [entry('7', 3)], '@slowest': [entry('7', 9)], '@off': [entry('7', [5, 7])] }),
    undefined,
    NOBODY,
  );
  expect(reading.rows(CALLS)).toEqual([{ pid: 7, count: 3 }]);
  expect(reading.rows(SLOWEST)).toEqual([{ pid: 7, most: 9 }]);
  expect(reading.rows(OFF)).toMatchObject([{ tid: 7, since: 5 }]);
  expect(reading.rows(WAITS)).toEqual([]);
});

test('an interval has the increase, and no rows of maps that cannot be subtracted', () => {
  const now = { '@slowest': [entry('7', 9), entry('bad', 1)], '@off': [entry('7', [5, 7])] };
  const reading = newReading(
    maps({ ...now, '@calls': [entry('7', 10)], '@waits': [sumEntry('7,7,1', 2, 50)] }),
    maps({ '@calls': [entry('7', 3)] }),
    NOBODY,
  );
  expect(reading.rows(CALLS)).toEqual([{ pid: 7, count: 7 }]);
  expect(reading.rows(WAITS)).toMatchObject([{ count: 2, total: 50 }]);
  expect([reading.rows(SLOWEST), reading.rows(OFF)]).toEqual([[], []]);
  expect(reading.unreadable()).toBe(0);
});

test('each map is read once, and its unreadable entries are counted once', () => {
  const reading = newReading(maps({ '@calls': [entry('x', 1), entry('7', 3)] }), undefined, NOBODY);
  expect(reading.unreadable()).toBe(0);
  expect(reading.rows(CALLS)).toBe(reading.rows(CALLS));
  expect(reading.unreadable()).toBe(1);
});

test('threads that were named only by their tid belong to their process', () => {
  const off = [entry('21', [5, 21]), entry('22', [5, 23]), entry('24', [5, 24])];
  const owners = new Map([21, 22].map((tid) => [tid, { pid: 20 }]));
  const reading = newReading(maps({ '@off': off }), undefined, owners);
  expect(reading.rows(OFF).map(({ tid, pid }) => [tid, pid])).toEqual([
    [21, 20],
    [22, 23],
    [24, 24],
  ]);
});

test.each([
  ['in keys', '7,7,1,\nffffffff81000001\n,\n1100\n1200\n', {}],
  [
    'by number',
    '7,7,1,3,4',
    {
      '@kernel_stacks': [entry('3', '\nffffffff81000001\n')],
      '@user_stacks': [entry('4', '\n1100\n1200\n')],
    },
  ],
])('stacks %s are numbers of addresses', (_, key, stacks) => {
  const reading = newReading(maps({ '@waits': [sumEntry(key, 1, 1)], ...stacks }), undefined, NOBODY);
  expect(reading.rows(WAITS)).toMatchObject([{ kernel: [0], user: [0, 1] }]);
  const { kernelAddresses, userAddresses } = reading.addresses;
  expect(kernelAddresses).toEqual([{ digits: 'ffffffff81000001', leaf: true }]);
  expect(userAddresses).toEqual([
    { digits: '1100', leaf: true, pid: 7, generation: 1 },
    { digits: '1200', leaf: false, pid: 7, generation: 1 },
  ]);
});

test('a stack with an unknown number is empty', () => {
  const reading = newReading(maps({ '@waits': [sumEntry('7,7,1,3,4', 1, 1)] }), undefined, NOBODY);
  expect(reading.rows(WAITS)).toMatchObject([{ kernel: [], user: [], count: 1 }]);
  expect(reading.unreadable()).toBe(0);
});
