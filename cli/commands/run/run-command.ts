import { takesStacks } from '../../../bt/compose.ts';
import { resolveCommand } from '../../../bt/driver/find-command.ts';
import type { Collection } from '../../../bt/driver/finish.ts';
import { exitStatus, holdTarget } from '../../../bt/driver/held-target.ts';
import { rawEnvironment } from '../../../bt/driver/inherited.ts';
import { dwarfStop } from '../../../bt/driver/unwind.ts';
import { perform, report, throwFailures } from '../../collection.ts';
import { prepare } from '../../job.ts';
import type { ProfileOptions } from '../../options.ts';

/**
 * `btprof run`.
 *
 * @param command its words, which need not be UTF-8
 * @param descriptors those above 2 that we were started with
 * @returns the exit status
 */
export async function runCommand(
  command: readonly Buffer[],
  descriptors: readonly number[],
  options: ProfileOptions,
): Promise<number> {
  const environment = rawEnvironment();
  const executable = resolveCommand(command[0] as Buffer, environment);
  const job = await prepare('run', options);
  const { dialect, info } = job.host;
  const stopAtEntry = takesStacks(job.plan)
    ? dwarfStop(options.unwind, executable, dialect, info.arch)
    : undefined;
  const held = holdTarget(command, environment, descriptors);
  const cmd = command.map((word) => word.toString());
  const target = { kind: 'run', held, cmd, executable, stopAtEntry } as const;
  try {
    const { collection, resolve, failure, stop, restoreSignals, flush } = await perform(job, target);
    if (!recordedNothing(collection)) {
      // A result on a standard stream would mix with what the command writes, unless the user asks for it now.
      if (!job.file) await Promise.race([held.exited, stop]);
      if (held.exit()) restoreSignals();
      flush();
      const ending = { ...collection.ending, exit: held.exit() };
      await report(job, { ...collection, ending }, resolve);
      if (!held.exit())
        job.say(`process ${held.pid} is still running; waiting for it (Ctrl-C to stop waiting)`);
    }
    await collection.close();
    const status = exitStatus(await held.exited);
    throwFailures(job, failure);
    return status;
  } finally {
    held.abandon();
    await held.exited; // btprof stands in for the command, whatever went wrong
  }
}

/** Whether the held process ended without becoming the command: it has printed why, and there is nothing to report. */
function recordedNothing({ recording, facts, failure }: Collection): boolean {
  const counted = [...recording.maps.values()].some((entries) => entries.length > 0);
  return !failure && !counted && !recording.execs.some((exec) => exec.pid === facts.pids[0]);
}
