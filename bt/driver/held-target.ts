import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { BtprofError } from '../../metrics/errors.ts';
import { openExecutable } from '../native/executable.ts';
import { BINARIES } from '../native/hold-binary.ts';
import { inheritedOpenFilesLimit } from './inherited.ts';

/** How a process ended: exactly one of the two is not null. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process that waits to become the command. */
export interface HeldTarget {
  readonly pid: number;
  /** Lets it become the command. */
  readonly release: () => void;
  /** Ends it before it becomes the command; does nothing once it is released. */
  readonly abandon: () => void;
  readonly signal: (signal: NodeJS.Signals) => void;
  readonly exited: Promise<Exit>;
  /** How it ended; null while it runs. */
  readonly exit: () => Exit | null;
}

/**
 * Starts a process that waits until it is released and then becomes the command: a child in the same process group,
 * with the same standard streams, the given descriptors, and exactly the given arguments and environment.
 *
 * @param words command and arguments, as bytes
 * @param environment `NAME=value` entries, as bytes
 * @param descriptors those above 2 to pass on, by number
 */
export function holdTarget(
  words: readonly Buffer[],
  environment: readonly Buffer[],
  descriptors: readonly number[],
): HeldTarget {
  const gate = lowestFree(descriptors);
  const child = startHold(gate, stdio(descriptors, gate));
  const channel = child.stdio[gate] as NodeJS.WritableStream;
  channel.on('error', () => undefined); // it may be gone before it is released
  channel.write(message(words, environment));
  let released = false;
  return {
    pid: child.pid,
    release: () => {
      released = true;
      channel.end('.');
    },
    abandon: () => {
      if (!released) channel.end();
    },
    signal: (signal) => child.kill(signal),
    exited: exitOf(child),
    exit: () =>
      child.exitCode === null && child.signalCode === null
        ? null
        : { code: child.exitCode, signal: child.signalCode },
  };
}

/**
 * Starts bt/native/hold.c. Without execa, unlike other children: its time to start one grows with the square of the highest
 * descriptor, and is 0.8 s for descriptor 1000.
 */
function startHold(gate: number, stdio: StdioOptions): ChildProcess & { readonly pid: number } {
  const program = openExecutable(BINARIES);
  if ('problem' in program) throw notHeld(program.problem);
  try {
    const child = spawn(program.path, [`${gate}`], { argv0: 'btprof-hold', stdio, env: {} });
    child.on('error', () => undefined); // it has no pid then
    if (child.pid === undefined) throw notHeld(`${program.path} cannot be started`);
    return child as ChildProcess & { readonly pid: number };
  } finally {
    program.close();
  }
}

function notHeld(problem: string): BtprofError {
  return new BtprofError(
    `cannot start the program that holds the command: ${problem}.`,
    'Name a directory where programs may run: TMPDIR=DIRECTORY btprof run ...',
  );
}

/** What bt/native/hold.c reads. */
function message(words: readonly Buffer[], environment: readonly Buffer[]): Buffer {
  const texts = Buffer.concat([...words, ...environment].flatMap((text) => [text, ZERO]));
  const limit = Number(inheritedOpenFilesLimit()) || 0; // 0 for none, and for 'unlimited'
  const head = [texts.length, limit, words.length, environment.length];
  return Buffer.concat([Buffer.from(BigUint64Array.from(head.map(BigInt)).buffer), texts]);
}

const ZERO = Buffer.from([0]);

/** 128+N for a signal, as shells report it. */
export function exitStatus({ code, signal }: Exit): number {
  return code ?? 128 + (signal ? constants.signals[signal] : 0);
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

function lowestFree(taken: readonly number[]): number {
  let fd = 3;
  while (taken.includes(fd)) fd++;
  return fd;
}

function stdio(descriptors: readonly number[], gate: number): ('inherit' | 'ignore' | 'pipe' | number)[] {
  const highest = Math.max(gate, 2, ...descriptors);
  return Array.from({ length: highest + 1 }, (_, fd) => {
    if (fd <= 2) return 'inherit';
    if (fd === gate) return 'pipe';
    return descriptors.includes(fd) ? fd : 'ignore';
  });
}
