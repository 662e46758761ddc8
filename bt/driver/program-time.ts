import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { BINARIES } from '../native/program.ts';
import { unpackProgram } from '../native/unpack.ts';

/** The kernel times BPF programs. */
export interface ProgramTiming {
  /** Why it does not; undefined when it does. */
  readonly problem: string | undefined;
  /** The process that asks for it. */
  readonly pid: number | undefined;
  /** The kernel goes back to what it did before, as it does when we die in any other way. */
  readonly stop: () => void;
}

/** Has the kernel time BPF programs, of 5.8 and newer, until it is stopped. */
export async function timePrograms(): Promise<ProgramTiming> {
  const program = unpackProgram(BINARIES, 'btprof-bpf-stats', [tmpdir(), '/var/tmp']);
  if ('problem' in program) return untimed(program.problem);
  try {
    // In a session of its own: Ctrl-C is not for it.
    const child = spawn(program.file, {
      stdio: ['pipe', 'pipe', 'ignore'],
      detached: true,
      cwd: '/',
      env: {},
    });
    const problem = await outcomeOf(child);
    child.unref();
    return { problem, pid: child.pid, stop: () => child.stdin?.destroy() };
  } catch (error) {
    return untimed((error as Error).message);
  } finally {
    program.remove();
  }
}

function untimed(problem: string): ProgramTiming {
  return { problem, pid: undefined, stop: () => undefined };
}

/** It says that the kernel does, or ends with the number of the error. */
async function outcomeOf(child: ChildProcess): Promise<string | undefined> {
  const failed = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('exit', (code) => resolve(code ? getSystemErrorName(-code) : 'its process was ended'));
  });
  child.stdin?.on('error', () => undefined);
  return Promise.race([once(child.stdout as NodeJS.ReadableStream, 'data').then(() => undefined), failed]);
}
