/**
 * How much to test. `npm run test:unit` tests enough to catch an error that was just made; `npm run test:all` also runs what
 * takes minutes.
 */
export const LONG = process.env.BTPROF_TESTS === 'all';

/** Chooses the number of attempts. */
export function attempts(usually: number, inAll: number): number {
  return LONG ? inAll : usually;
}

/** Cases that always run, plus those that run only in `npm run test:all`. */
export function cases<T>(always: readonly T[], inAll: readonly T[]): T[] {
  return LONG ? [...always, ...inAll] : [...always];
}
