import { expect, test } from 'vitest';
import { readInteger } from '../../../parsers/integer.ts';

test.each([
  [0, 0],
  [1_052_461_357, 1_052_461_357],
  ['1052461357', 1_052_461_357],
  ['0', 0],
])('%j is %d', (value, number) => {
  expect(readInteger(value)).toBe(number);
});

test.each([JSON.parse('9007199254740993'), '9007199254740993'])(
  'past 2^53 the result is the nearest double: %j',
  (value) => {
    expect(readInteger(value)).toBe(2 ** 53);
  },
);

test('the largest number of the kernel is read', () => {
  expect(readInteger('18446744073709551615')).toBe(2 ** 64);
});

test.each([
  -1,
  2.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  '-1',
  '2.5',
  '1f',
  '0x1f',
  '1e5',
  ' 1',
  '',
  '9'.repeat(20),
  '9'.repeat(400),
  1e20,
  null,
  undefined,
  true,
  [],
  [7],
  {},
])('%j is not an integer of the kernel', (value) => {
  expect(readInteger(value)).toBeUndefined();
});
