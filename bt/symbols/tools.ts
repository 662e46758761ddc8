import { execa } from 'execa';

/** Limits for a tool that reads untrusted files, which may exploit a bug in the tool. */
const LIMITS = { timeout: 10_000, maxBuffer: 256 * 2 ** 20 };
/** Limit of its memory, in KiB. */
const MEMORY_KB = 4 * 2 ** 20;
/** First of the user IDs for tools. No account has them; processes of the same user could trace the tool. */
const FIRST_USER = 0x7fff_0000;
/** A shell that ignores Ctrl-C, because btprof needs the tools for its result, and sets the limits. */
const LIMITED_SHELL = 'trap "" INT; ulimit -c 0 && ulimit -v "$0" && exec "$@"';

export interface ToolInput {
  /** For stdin of the tool. */
  readonly input: Buffer | string;
  /** The tool gets it as descriptor 3. */
  readonly descriptor?: number;
}

/**
 * Runs a program of the system, with limits and as a user without privileges.
 *
 * @returns its output; undefined when it is not installed or failed
 */
export async function runTool(
  command: readonly string[],
  { input, descriptor }: ToolInput,
): Promise<Buffer | undefined> {
  const user = FIRST_USER + (process.pid % 2 ** 16);
  const rights = process.getuid?.() === 0 ? { uid: user, gid: user } : {};
  const done = await execa('/bin/sh', ['-c', LIMITED_SHELL, String(MEMORY_KB), ...command], {
    ...LIMITS,
    ...rights,
    input,
    // Any number is possible, although the type is stricter.
    stdio: ['pipe', 'pipe', 'ignore', (descriptor ?? 'ignore') as 3 | 'ignore'],
    encoding: 'buffer',
    stripFinalNewline: false,
    cwd: '/',
    env: { PATH: process.env.PATH, LC_ALL: 'C' },
    extendEnv: false,
    killSignal: 'SIGKILL',
    reject: false,
  });
  return done.failed ? undefined : Buffer.from(done.stdout);
}
