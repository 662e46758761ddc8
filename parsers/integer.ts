/** Numbers of the kernel have 64 bits. */
const LARGEST = 2 ** 64;

/**
 * Reads a count or time that bpftrace printed: a number up to 0.23, and from 0.24 in quotes when a double cannot hold it.
 * Past 2^53 the result is the nearest double.
 *
 * @returns undefined for anything else, also for a negative number, a fraction, or one past 2^64
 */
export function readInteger(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= LARGEST
    ? number
    : undefined;
}
