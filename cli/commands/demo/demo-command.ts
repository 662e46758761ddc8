import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackProgram } from '../../../bt/native/unpack.ts';
import { BtprofError, UsageError } from '../../../metrics/errors.ts';
import { BINARIES } from '../../demo/demo-binary.ts';
import { WORKLOADS, type Workload } from '../../demo/workloads.ts';
import type { ProfileOptions } from '../../options.ts';
import { stderr, stdout } from '../../output.ts';
import { runCommand } from '../run/run-command.ts';

/**
 * `btprof demo`: lists the demo programs, or profiles one of them as `btprof run` does and explains the result.
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
    if (status > 0) throw new BtprofError(`the demo program failed with status ${status}.`, HINT);
    if (!options.quiet)
      stderr.write(`\nHow to read it\n${workload.reading.map((line) => `  ${line}\n`).join('')}`);
    return 0;
  } finally {
    remove();
  }
}

/** 128+N for SIGHUP, SIGINT, SIGQUIT and SIGTERM: Ctrl-C and similar. */
const ENDED_BY_USER: readonly number[] = [1, 2, 3, 15].map((signal) => 128 + signal);

const HINT =
  'Name a directory where btprof can write files and run programs: TMPDIR=DIRECTORY btprof demo ...';

function list(): string {
  const width = Math.max(...WORKLOADS.map(({ name }) => name.length));
  const lines = WORKLOADS.map(({ name, what }) => `  ${name.padEnd(width)}  ${what}\n`);
  return `Each program waits in its own way, for two seconds:\n\n${lines.join('')}\nType: btprof demo ${WORKLOADS[0]?.name}\n`;
}

/** @throws UsageError when the name is unknown */
function workloadOf(name: string): Workload {
  const workload = WORKLOADS.find((workload) => workload.name === name);
  if (workload) return workload;
  const names = WORKLOADS.map(({ name }) => name).join(', ');
  throw new UsageError(`unknown demo ${JSON.stringify(name)}.`, `Choose one of: ${names}`, 2);
}

interface Program {
  readonly command: readonly string[];
  readonly remove: () => void;
}

/**
 * Unpacks the program under its own name, into a directory where it can also write. /var/tmp comes first, because /tmp is in
 * memory on many hosts and two of the programs need a disk.
 */
function unpack({ name, scratch }: Workload): Program {
  const parents = process.env.TMPDIR ? [tmpdir()] : ['/var/tmp', tmpdir()];
  const program = unpackProgram(BINARIES, name, parents);
  if ('problem' in program)
    throw new BtprofError(`cannot unpack the demo program: ${program.problem}.`, HINT);
  exitOnSignals();
  const { directory, file, remove } = program;
  return { command: scratch ? [file, join(directory, 'scratch')] : [file], remove };
}

/** Exits on signals that nothing else handles. A process that a signal kills could not remove its files. */
function exitOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(128 + constants.signals[signal]);
    });
  }
}
