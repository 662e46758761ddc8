import type * as ChildProcess from 'node:child_process';
import { createRequire } from 'node:module';

/** Loads `node:child_process` when it is needed, because that takes longer than to print a help text. */
const require = createRequire(import.meta.url);

/** Working directory and environment of bpftrace: the directory of btprof may be gone, and PATH may be empty. */
export const TRACER_CWD_ENV = {
  cwd: '/',
  env: { PATH: process.env.PATH || '/usr/sbin:/usr/bin:/sbin:/bin' },
} as const;

const VERSION_TIMEOUT_MS = 30_000;

/** The answer of `bpftrace --version`. */
export interface VersionAnswer {
  readonly stdout: string;
  /** Why there is no answer. */
  readonly failure?: { readonly missing: boolean; readonly interrupted: boolean; readonly how: string };
}

const answers = new Map<string, Promise<VersionAnswer>>();

/**
 * Runs `bpftrace --version`, once: the command line asks as soon as it knows which bpftrace, and later callers get the same
 * answer.
 */
export function readVersion(bpftrace: string): Promise<VersionAnswer> {
  const answer = answers.get(bpftrace) ?? ask(bpftrace);
  answers.set(bpftrace, answer);
  return answer;
}

/**
 * Without execa, unlike other children. bpftrace takes 50 to 100 ms to answer; meanwhile the code of the command is
 * loaded, including execa. Loading execa first would delay each run by that time.
 */
function ask(bpftrace: string): Promise<VersionAnswer> {
  const { cwd, env } = TRACER_CWD_ENV;
  const environment = { ...process.env, ...env };
  const options = { cwd, env: environment, timeout: VERSION_TIMEOUT_MS, killSignal: 'SIGKILL' } as const;
  const { execFile } = require('node:child_process') as typeof ChildProcess;
  return new Promise<VersionAnswer>((resolve) => {
    const child = execFile(bpftrace, ['--version'], options, (error, stdout) =>
      resolve(error ? { stdout, failure: failureOf(error) } : { stdout: stdout.trimEnd() }),
    );
    child.stdin?.end();
  }).catch((error: ChildProcess.ExecFileException) => ({ stdout: '', failure: failureOf(error) })); // Node throws some errors
}

function failureOf(error: ChildProcess.ExecFileException): NonNullable<VersionAnswer['failure']> {
  return {
    missing: error.code === 'ENOENT',
    interrupted: error.signal === 'SIGINT',
    how: explain(error),
  };
}

/** The code is a number for an exit status, and a string for the name of an error. */
function explain({ code, signal, killed }: ChildProcess.ExecFileException): string {
  if (typeof code === 'string') return code === TOO_MUCH ? 'it printed too much' : code;
  if (typeof code === 'number') return `it ended with status ${code}`;
  return killed ? `it did not answer within ${VERSION_TIMEOUT_MS / 1000} s` : `it ended by ${signal}`;
}

const TOO_MUCH = 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER';
