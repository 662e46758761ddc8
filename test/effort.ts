/**
 * How much is tried: `npm run test:unit` tries enough to show an error that somebody has just made, `npm run test:all` also what
 * takes minutes.
 */
export const LONG = process.env.BTPROF_TESTS === 'all';

/** One of two numbers of attempts. */
export function attempts(usually: number, inAll: number): number {
  return LONG ? inAll : usually;
}

/** Those of some cases that are tried always, and the others in `npm run test:all` only. */
export function cases<T>(always: readonly T[], inAll: readonly T[]): T[] {
  return LONG ? [...always, ...inAll] : [...always];
}
