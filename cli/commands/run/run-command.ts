import type { Collection } from '../../../bt/driver/collect.ts';
import { resolveCommand } from '../../../bt/driver/command.ts';
import { exitStatus, holdTarget } from '../../../bt/driver/held-target.ts';
import { rawEnvironment } from '../../../bt/driver/inherited.ts';
import { dwarfHold } from '../../../bt/driver/unwind.ts';
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
  const { dialect, host } = job.host;
  const waits = job.plan.stacks && job.plan.profilers.some((profiler) => profiler.name === 'offcpu');
  const hold = waits ? dwarfHold(job.unwind, executable, dialect, host.info.arch) : undefined;
  const target = holdTarget(command, environment, descriptors);
  const cmd = command.map((word) => word.toString());
  const subject = { kind: 'run', target, cmd, executable } as const;
  try {
    const { collection, stop, flush } = await perform(job, subject, target, hold);
    if (!recordedNothing(collection)) {
      // A result on a standard stream would mix with what the command writes, unless the user asks for it now.
      if (!job.file) await Promise.race([target.exited, stop]);
      flush();
      await report(job, { ...collection, ending: { ...collection.ending, exit: target.exit() } });
      if (!target.exit())
        job.say(`process ${target.pid} is still running; waiting for it (Ctrl-C to stop waiting)`);
    }
    await collection.close();
    const status = exitStatus(await target.exited);
    throwFailures(job, collection);
    return status;
  } finally {
    target.abandon();
  }
}

/** The held process ended without becoming the command: env has said why, and there is nothing to report. */
function recordedNothing({ recording, facts, failure }: Collection): boolean {
  const counted = [...recording.maps.values()].some((entries) => entries.length > 0);
  return !failure && !counted && !recording.execs.some((exec) => exec.pid === facts.pids[0]);
}
