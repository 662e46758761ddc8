import { getSystemErrorName } from 'node:util';
import { execa, type ResultPromise } from 'execa';
import { BINARIES } from '../native/bpf-stats-binary.ts';
import { openExecutable } from '../native/executable.ts';

/** Timing of BPF programs by the kernel (Linux 5.8 and newer). */
export interface ProgramTiming {
  /** Why the kernel does not time them, or no longer does; undefined if it can. */
  readonly problem: () => string | undefined;
  /** The process that requests the timing. */
  readonly pid: number | undefined;
  /** Suspends the timing, unless another process requests it too. */
  readonly pause: () => void;
  /** Resumes the timing; resolves to false on failure. */
  readonly resume: () => Promise<boolean>;
  /** Ends the timing. The death of btprof ends it too. */
  readonly stop: () => void;
}

/** The process has its own session, so that Ctrl-C does not reach it, and ends when its stdin is closed. */
const OPTIONS = {
  argv0: 'btprof-bpf-stats',
  stdin: 'pipe',
  stdout: 'pipe',
  stderr: 'ignore',
  cwd: '/',
  env: {},
  extendEnv: false,
  detached: true,
  buffer: false,
  cleanup: false,
  reject: false,
} as const;

/** Makes the kernel time BPF programs until it is stopped. */
export async function timePrograms(): Promise<ProgramTiming> {
  const program = openExecutable(BINARIES);
  if ('problem' in program) return untimed(`${program.problem}; TMPDIR=DIRECTORY names another place`);
  try {
    const child = execa(program.path, [], OPTIONS);
    const { problem, isOn } = answersOf(child);
    await isOn();
    child.unref();
    const turn = () => child.stdin.write('.');
    return {
      problem,
      pid: child.pid,
      pause: turn,
      resume: () => {
        turn();
        return isOn();
      },
      stop: () => child.stdin.destroy(),
    };
  } finally {
    program.close();
  }
}

function untimed(problem: string): ProgramTiming {
  const nothing = () => undefined;
  return { problem: () => problem, pid: undefined, pause: nothing, resume: async () => false, stop: nothing };
}

const NEXT: Readonly<Record<string, string>> = {
  EINVAL: 'this needs Linux 5.8 or newer',
  EPERM: 'in a container, start it with --privileged',
};

function explain(error: string): string {
  const next = NEXT[error];
  return next ? `${error}; ${next}` : error;
}

/** The process writes a byte whenever the kernel starts timing, or exits with an error number. */
function answersOf(child: ResultPromise<typeof OPTIONS>): {
  problem: () => string | undefined;
  isOn: () => Promise<boolean>;
} {
  let problem: string | undefined;
  let answer = (_isOn: boolean) => {};
  child.stdin.on('error', () => undefined);
  child.stdout.on('data', () => answer(true));
  void child.then(({ code, exitCode }) => {
    problem = code ?? (exitCode ? explain(getSystemErrorName(-exitCode)) : 'its process was ended');
    answer(false);
  });
  const isOn = () =>
    new Promise<boolean>((resolve) => {
      answer = resolve;
      if (problem !== undefined) resolve(false);
    });
  return { problem: () => problem, isOn };
}
