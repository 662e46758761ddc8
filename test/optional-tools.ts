import { which } from 'zx';

/** `npm test` sets this after it has installed every tool. Then a test without its tool fails. */
export const MAY_SKIP = process.env.BTPROF_SKIP !== 'none';

/** True if a test that runs these commands must be skipped, because one of them is not installed. */
export function lacks(...commands: string[]): boolean {
  return MAY_SKIP && commands.some((command) => which.sync(command, { nothrow: true }) === null);
}
