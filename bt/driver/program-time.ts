import { type ChildProcess, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { BINARIES } from '../native/program.ts';
import { unpackProgram } from '../native/unpack.ts';

/** The kernel times BPF programs, of 5.8 and newer. */
export interface ProgramTiming {
  /** Why it does not, also when it did for a while; undefined when it does, or could. */
  readonly problem: () => string | undefined;
  /** The process that asks for it. */
  readonly pid: number | undefined;
  /** The kernel times none for a while, unless another one asks for it. */
  readonly pause: () => void;
  /** It goes on; false when it cannot. */
  readonly resume: () => Promise<boolean>;
  /** The kernel goes back to what it did before, as it does when we die in any other way. */
  readonly stop: () => void;
}

/** Has the kernel time BPF programs until it is stopped. */
export async function timePrograms(): Promise<ProgramTiming> {
  const program = unpackProgram(BINARIES, 'btprof-bpf-stats', [tmpdir(), '/var/tmp']);
  if ('problem' in program) return untimed(`${program.problem}; TMPDIR=DIRECTORY names another place`);
  try {
    // In a session of its own: Ctrl-C is not for it.
    const child = spawn(program.file, {
      stdio: ['pipe', 'pipe', 'ignore'],
      detached: true,
      cwd: '/',
      env: {},
    });
    const { problem, isOn } = answersOf(child);
    await isOn();
    child.unref();
    const turn = () => child.stdin?.write('.');
    return {
      problem,
      pid: child.pid,
      pause: turn,
      resume: () => {
        turn();
        return isOn();
      },
      stop: () => child.stdin?.destroy(),
    };
  } catch (error) {
    return untimed((error as Error).message);
  } finally {
    program.remove();
  }
}

function untimed(problem: string): ProgramTiming {
  const nothing = () => undefined;
  return { problem: () => problem, pid: undefined, pause: nothing, resume: async () => false, stop: nothing };
}

const NEXT: Readonly<Record<string, string>> = {
  EINVAL: 'Linux 5.8 and newer can be',
  EPERM: 'in a container, start it with --privileged',
};

function explain(error: string): string {
  const next = NEXT[error];
  return next ? `${error}; ${next}` : error;
}

/** It says each time that the kernel does, or ends with the number of the error. */
function answersOf(child: ChildProcess): {
  problem: () => string | undefined;
  isOn: () => Promise<boolean>;
} {
  let problem: string | undefined;
  let answer = (_isOn: boolean) => {};
  const end = (why: string) => {
    problem = why;
    answer(false);
  };
  child.on('error', (error) => end(error.message));
  child.on('exit', (code) => end(code ? explain(getSystemErrorName(-code)) : 'its process was ended'));
  child.stdin?.on('error', () => undefined);
  child.stdout?.on('data', () => answer(true));
  const isOn = () =>
    new Promise<boolean>((resolve) => {
      answer = resolve;
      if (problem !== undefined) resolve(false);
    });
  return { problem: () => problem, isOn };
}
