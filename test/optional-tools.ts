import { which } from 'zx';

/** `npm test` sets this after it has installed every tool: there a test without its tool fails. */
export const MAY_SKIP = process.env.BTPROF_SKIP !== 'none';

/** Whether to skip a test that runs these commands, because one of them is not installed. */
export function lacks(...commands: string[]): boolean {
  return MAY_SKIP && commands.some((command) => which.sync(command, { nothrow: true }) === null);
}
