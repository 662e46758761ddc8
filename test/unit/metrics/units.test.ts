import { describe, expect, test } from 'vitest';
import { formatCount, formatNs, formatShare, plural } from '../../../metrics/units.ts';

describe('times', () => {
  test.each([
    [0, '0 ns'],
    [999, '999 ns'],
    [999.0000000000001, '999 ns'],
    [999.6, '1.0 µs'],
    [1000, '1.0 µs'],
    [54311, '54.3 µs'],
    [100093609, '100.1 ms'],
    [999.96e3, '1.0 ms'],
    [999.96e6, '1.00 s'],
    [1e9, '1.00 s'],
    [59.99e9, '59.99 s'],
    [59.999e9, '1 min 0 s'],
    [60e9, '1 min 0 s'],
    [119.4e9, '1 min 59 s'],
    [119.6e9, '2 min 0 s'],
    [3600e9, '60 min 0 s'],
  ])('%d ns is %s', (ns, text) => {
    expect(formatNs(ns)).toBe(text);
  });

  test('none up to the millisecond has a long tail', () => {
    for (let ns = 0; ns < 1000; ns++) expect(formatNs((ns / 1e6) * 1e6)).toBe(`${ns} ns`);
  });
});

test.each([
  [1, 3, '33.3 %'],
  [5, 5, '100.0 %'],
  [0, 5, '0.0 %'],
  [0, 0, '0.0 %'],
])('%d of %d is %s', (part, whole, text) => {
  expect(formatShare(part, whole)).toBe(text);
});

test.each([
  [0, '0'],
  [999, '999'],
  [9033, '9,033'],
  [1234567, '1,234,567'],
  [-1234, '-1,234'],
  [-123, '-123'],
  [1234.5, '1,234.5'],
  [1.2345, '1.2345'],
])('%d is %s', (n, text) => {
  expect(formatCount(n)).toBe(text);
});

test.each([
  [0, '0 waits', '0 processes'],
  [1, '1 wait', '1 process'],
  [9033, '9,033 waits', '9,033 processes'],
])('%d of them are %s', (n, waits, processes) => {
  expect(plural(n, 'wait')).toBe(waits);
  expect(plural(n, 'process', 'processes')).toBe(processes);
});
