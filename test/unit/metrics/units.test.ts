import { describe, expect, test } from 'vitest';
import {
  formatBytes,
  formatCount,
  formatNs,
  formatShare,
  formatSignedNs,
  parseTimeNs,
  plural,
} from '../../../metrics/units.ts';

describe('reading times', () => {
  test.each([
    ['10s', 10e9],
    ['500ms', 500e6],
    ['2m', 120e9],
    ['1h', 3600e9],
    ['1.5s', 1.5e9],
    ['250us', 250e3],
    ['250µs', 250e3],
    ['7ns', 7],
    ['3', 3e9],
    ['0', 0],
    ['0.1', 1e8],
    ['0.4ns', 0],
  ])('%s is %d ns', (text, ns) => {
    expect(parseTimeNs(text)).toBe(ns);
  });

  test.each([
    ...['', 's', '-1s', '+1s', '1 s', '1e3', '1,5s', '.5s', '1.s'],
    ...['10S', '10sec', 'abc', '0x10', '1s2', 'NaN', '1constructor'],
  ])('%j is not a time', (text) => {
    expect(parseTimeNs(text)).toBeUndefined();
  });

  test.each(['9007200s', '99999999999999999999', '1'.repeat(400)])('%s is too long a time', (text) => {
    expect(parseTimeNs(text)).toBeUndefined();
  });
});

describe('writing times', () => {
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

  test('whole ns up to a µs have no decimals', () => {
    for (let ns = 0; ns < 1000; ns++) expect(formatNs((ns / 1e6) * 1e6)).toBe(`${ns} ns`);
  });
});

test.each([
  [0, '0'],
  [1500, '1.5 µs'],
  [-1500, '-1.5 µs'],
])('the signed time of %d ns is %s', (ns, text) => {
  expect(formatSignedNs(ns)).toBe(text);
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1340, '1.3 kB'],
  [3_100_000, '3.1 MB'],
  [2.5e9, '2.5 GB'],
])('%d bytes are %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
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
