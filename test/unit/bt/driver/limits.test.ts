import { describe, expect, test } from 'vitest';
import { mapEntries } from '../../../../bt/driver/limits.ts';

const GiB = 2 ** 30;

test('a common server has room for 65,536 entries', () => {
  expect(mapEntries(16 * GiB, 8)).toBe(65_536);
});

test('no host gets more', () => {
  expect(mapEntries(4096 * GiB, 4)).toBe(65_536);
});

test.each([
  [0, 1],
  [64 * 2 ** 20, 1],
  [GiB, 1024],
])('a host of %i bytes and %i CPUs gets what bpftrace itself would give', (memory, cpus) => {
  expect(mapEntries(memory, cpus)).toBe(4096);
});

describe.each([
  [GiB, 2],
  [2 * GiB, 4],
  [8 * GiB, 128],
  [16 * GiB, 256],
])('%i bytes and %i CPUs', (memory, cpus) => {
  const entries = mapEntries(memory, cpus);

  test('is a power of two between the limits', () => {
    expect(Math.log2(entries) % 1).toBe(0);
    expect(entries).toBeGreaterThan(4096);
    expect(entries).toBeLessThanOrEqual(65_536);
  });

  test('stays below 3 % of memory', () => {
    expect(entries * (700 + 40 * cpus)).toBeLessThanOrEqual(0.03 * memory);
  });

  test('is not less than it could be', () => {
    expect(entries === 65_536 || 2 * entries * (700 + 40 * cpus) > 0.03 * memory).toBe(true);
  });
});

test('each CPU has its price', () => {
  expect(mapEntries(4 * GiB, 192)).toBeLessThan(mapEntries(4 * GiB, 2));
});
