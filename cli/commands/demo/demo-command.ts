import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { BtprofError, UsageError } from '../../../bt/errors.ts';
import { unpackProgram } from '../../../bt/native/unpack.ts';
import { BINARIES } from '../../demo/program.ts';
import { WORKLOADS, type Workload } from '../../demo/workloads.ts';
import type { ProfileOptions } from '../../options.ts';
import { stderr, stdout } from '../../output.ts';
import { runCommand } from '../run/run-command.ts';

/**
 * `btprof demo`: lists the demo programs, or profiles one of them as `btprof run` would, and says how to read that.
 *
 * @param descriptors those above 2 that we were started with
 * @returns the exit status
 */
export async function demoCommand(
  name: string | undefined,
  descriptors: readonly number[],
  options: ProfileOptions,
): Promise<number> {
  if (name === undefined) {
    stdout.write(list());
    return 0;
  }
  const workload = workloadOf(name);
  const { command, remove } = unpack(workload);
  try {
    if (!options.quiet)
      stderr.write(`${workload.name}: ${workload.what}\n$ btprof run -- ${command.join(' ')}\n\n`);
    const duration = options.duration ?? workload.durationMs;
    const words = command.map((word) => Buffer.from(word));
    const status = await runCommand(
      words,
      descriptors,
      duration === undefined ? options : { ...options, duration },
    );
    if (ENDED_BY_USER.includes(status)) return status;
    if (status > 0) throw new BtprofError(`the demo program failed, with status ${status}.`, HINT);
    if (!options.quiet)
      stderr.write(`\nHow to read it\n${workload.reading.map((line) => `  ${line}\n`).join('')}`);
    return 0;
  } finally {
    remove();
  }
}

/** Ctrl-C and its like: 128+N for SIGHUP, SIGINT, SIGQUIT and SIGTERM. */
const ENDED_BY_USER: readonly number[] = [1, 2, 3, 15].map((signal) => 128 + signal);

const HINT =
  'It needs a directory that it may write to and run programs from: TMPDIR=DIRECTORY btprof demo ...';

function list(): string {
  const width = Math.max(...WORKLOADS.map(({ name }) => name.length));
  const lines = WORKLOADS.map(({ name, what }) => `  ${name.padEnd(width)}  ${what}\n`);
  return `Programs that wait, each in its own way, for two seconds:\n\n${lines.join('')}\nType: btprof demo ${WORKLOADS[0]?.name}\n`;
}

/** @throws UsageError when there is none of that name */
function workloadOf(name: string): Workload {
  const workload = WORKLOADS.find((workload) => workload.name === name);
  if (workload) return workload;
  const names = WORKLOADS.map(({ name }) => name).join(', ');
  throw new UsageError(`there is no demo ${JSON.stringify(name)}.`, `There are: ${names}`, 2);
}

interface Program {
  readonly command: readonly string[];
  readonly remove: () => void;
}

/**
 * The program under its own name, in a directory where it can write, too. On a disk, where there is one: /tmp is in memory on
 * many hosts, and two of the programs are about the disk.
 */
function unpack({ name, scratch }: Workload): Program {
  const places = process.env.TMPDIR ? [tmpdir()] : ['/var/tmp', tmpdir()];
  const program = unpackProgram(BINARIES, name, places);
  if ('problem' in program) throw new BtprofError(`there is no demo program: ${program.problem}.`, HINT);
  exitOnSignals();
  const { directory, file, remove } = program;
  return { command: scratch ? [file, join(directory, 'scratch')] : [file], remove };
}

/** As long as no one else takes them: a process that a signal ends cannot remove anything. */
function exitOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(128 + constants.signals[signal]);
    });
  }
}
