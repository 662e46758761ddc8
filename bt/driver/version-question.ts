import { type ExecFileException, execFile } from 'node:child_process';

/** Where bpftrace runs: our own directory may be gone, and PATH empty. */
export const TRACER_PLACE = {
  cwd: '/',
  env: { PATH: process.env.PATH || '/usr/sbin:/usr/bin:/sbin:/bin' },
} as const;

const PATIENCE_MS = 30_000;

export interface Answer {
  readonly stdout: string;
  /** Why it is none. */
  readonly failure?: { readonly missing: boolean; readonly interrupted: boolean; readonly how: string };
}

const asked = new Map<string, Promise<Answer>>();

/**
 * What `bpftrace --version` says. It is asked once: the command line asks as soon as it knows which bpftrace, and whoever
 * wants to know later finds the answer there.
 */
export function askVersion(bpftrace: string): Promise<Answer> {
  const answer = asked.get(bpftrace) ?? ask(bpftrace);
  asked.set(bpftrace, answer);
  return answer;
}

function ask(bpftrace: string): Promise<Answer> {
  const { cwd, env } = TRACER_PLACE;
  const environment = { ...process.env, ...env };
  const options = { cwd, env: environment, timeout: PATIENCE_MS, killSignal: 'SIGKILL' } as const;
  return new Promise<Answer>((resolve) => {
    const child = execFile(bpftrace, ['--version'], options, (error, stdout) =>
      resolve(error ? { stdout, failure: failureOf(error) } : { stdout: stdout.trimEnd() }),
    );
    child.stdin?.end();
  }).catch((error: ExecFileException) => ({ stdout: '', failure: failureOf(error) })); // Node throws some errors
}

function failureOf(error: ExecFileException): NonNullable<Answer['failure']> {
  return {
    missing: error.code === 'ENOENT',
    interrupted: error.signal === 'SIGINT',
    how: explain(error),
  };
}

/** A status is a number, and the name of an error a string. */
function explain({ code, signal, killed }: ExecFileException): string {
  if (typeof code === 'string') return code;
  if (typeof code === 'number') return `it ended with status ${code}`;
  return killed ? `it did not answer within ${PATIENCE_MS / 1000} s` : `it ended by ${signal}`;
}
