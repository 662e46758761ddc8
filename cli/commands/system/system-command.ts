import { finish, perform } from '../../collection.ts';
import { prepare } from '../../job.ts';
import type { ProfileOptions } from '../../options.ts';

/**
 * `btprof system`.
 *
 * @returns the exit status
 */
export async function systemCommand(options: ProfileOptions): Promise<number> {
  const job = await prepare('system', options);
  return finish(job, await perform(job, { kind: 'system' }));
}
