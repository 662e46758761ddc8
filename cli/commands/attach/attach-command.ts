import { isAlive, isKernelThread, processOf } from '../../../bt/driver/proc-threads.ts';
import { dwarfPids } from '../../../bt/driver/unwind.ts';
import { BtprofError } from '../../../metrics/errors.ts';
import { finish, perform } from '../../collection.ts';
import { prepare } from '../../job.ts';
import type { ProfileOptions } from '../../options.ts';

/**
 * `btprof attach`.
 *
 * @returns the exit status
 * @throws BtprofError when one of the processes does not exist
 */
export async function attachCommand(pids: readonly number[], options: ProfileOptions): Promise<number> {
  const job = await prepare('attach', options);
  const distinct = [...new Set(pids)];
  requireProcesses(distinct);
  const { dialect, info } = job.host;
  const unwound = dwarfPids(options.unwind, distinct, dialect, info.arch);
  return finish(job, await perform(job, { kind: 'attach', pids: distinct, dwarfPids: unwound }));
}

function requireProcesses(pids: readonly number[]): void {
  const missing = pids.filter((pid) => !isAlive(pid));
  if (missing.length > 0) {
    throw new BtprofError(
      `there is no process ${missing.join(', ')}.`,
      "To list running processes, type: 'ps -e' or 'pgrep NAME'.",
    );
  }
  for (const pid of pids) {
    const leader = processOf(pid);
    if (leader !== undefined && leader !== pid) {
      throw new BtprofError(`${pid} is a thread of process ${leader}.`, `Type: btprof attach ${leader}`);
    }
  }
  const kernel = pids.find(isKernelThread);
  if (kernel !== undefined) {
    throw new BtprofError(`process ${kernel} is a kernel thread; btprof profiles programs only.`);
  }
  if (pids.includes(process.pid)) throw new BtprofError('btprof cannot profile itself.');
}
