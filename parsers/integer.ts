/** The kernel's numbers have 64 bits. */
const LARGEST = 2 ** 64;

/**
 * A count or time of bpftrace's: a number up to 0.23, and from 0.24 in quotes when a double cannot hold it. Past 2^53
 * what is read is the nearest double.
 *
 * @returns undefined for anything else, also for a number that is negative, broken or too large
 */
export function readInteger(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= LARGEST
    ? number
    : undefined;
}
