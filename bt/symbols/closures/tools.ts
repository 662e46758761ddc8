import { spawnSync } from 'node:child_process';

/** How a tool is limited that reads files which anybody may have written: they may be made to do harm. */
const LIMITS = { timeout: 30_000, maxBuffer: 256 * 2 ** 20 };
/** Of its memory, in KiB. */
const MEMORY_KB = 4 * 2 ** 20;
/** Users that nobody has: processes of another one could look into a tool, or change what it says. */
const FIRST_USER = 0x7fff_0000;

export interface ToolInput {
  /** What it reads from stdin. */
  readonly input: Buffer | string;
  /** Passed on as its descriptor 3. */
  readonly descriptor?: number;
}

/**
 * Runs a program of the system as a user without any rights, with bounds.
 *
 * @returns what it wrote; undefined when it is not installed or failed
 */
export function runTool(command: readonly string[], { input, descriptor }: ToolInput): Buffer | undefined {
  const limited = ['-c', 'ulimit -c 0 && ulimit -v "$0" && exec "$@"', String(MEMORY_KB), ...command];
  const user = FIRST_USER + (process.pid % 2 ** 16);
  const rights = process.getuid?.() === 0 ? { uid: user, gid: user } : {};
  const done = spawnSync('/bin/sh', limited, {
    ...LIMITS,
    ...rights,
    input,
    stdio: ['pipe', 'pipe', 'ignore', descriptor ?? 'ignore'],
    cwd: '/',
    env: { PATH: process.env.PATH, LC_ALL: 'C' },
    killSignal: 'SIGKILL',
  });
  return done.status === 0 ? done.stdout : undefined;
}
