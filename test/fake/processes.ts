import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { FakeBpftrace, Start } from './bpftrace.ts';

const POLL_MS = 5;
/** A killed process is gone at once, except on a busy machine. */
const POLLS = 2000;

/** Waits until a condition holds. The time limit is that of the test. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(POLL_MS);
}

/** Expects that none of the processes is left. */
export async function expectEnded(pids: readonly number[]): Promise<void> {
  const left = () => pids.filter((pid) => !['', 'Z', 'X'].includes(stateOf(pid)));
  for (let i = 0; i < POLLS && left().length > 0; i++) await sleep(POLL_MS);
  expect(left()).toEqual([]);
}

/**
 * Removes a fake bpftrace, and expects that its processes have ended. With `targets`, the processes that it followed must have
 * ended too.
 */
export async function removeEnded(fake: FakeBpftrace, { targets = false } = {}): Promise<void> {
  const followed = ({ target }: Start) => (targets && target ? [target] : []);
  await expectEnded(fake.starts().flatMap((start) => [start.pid, ...followed(start)]));
  fake.remove();
}

/** The state letter as in proc(5): `S` asleep, `T` stopped, `Z` zombie. Empty if the process is gone. */
export function stateOf(pid: number): string {
  return /\) (\w)/.exec(readProc(`/proc/${pid}/stat`))?.[1] ?? '';
}

/**
 * Waits until a process has this many threads and each is asleep in the same system call at three looks. A call on the way
 * there would not last that long.
 */
export async function untilAsleep(pid: number, threads = 1): Promise<void> {
  let before = '';
  for (let same = 0; same < 3; ) {
    await sleep(2 * POLL_MS);
    const calls = threadsOf(pid).map((tid) => readProc(`/proc/${pid}/task/${tid}/syscall`));
    const now = calls.join('');
    const asleep = calls.length === threads && !calls.some((call) => call === '' || /^running/.test(call));
    same = asleep && now === before ? same + 1 : 0;
    before = now;
  }
}

/** Waits until a process has this command line. */
export function untilRuns(pid: number, words: string): Promise<void> {
  return until(() => readProc(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').startsWith(words));
}

/** Waits until a process has started this many children, one after another. */
export async function untilForked(pid: number, count: number): Promise<void> {
  const seen = new Set<string>();
  await until(() => {
    seen.add(readProc(`/proc/${pid}/task/${pid}/children`));
    return seen.size > count;
  });
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** Contents of a file in /proc; empty if it is gone. */
export function readProc(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Waits until a stream has printed a text. Resolves to everything that it has printed. */
export function untilPrints(stream: NodeJS.ReadableStream, words: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    stream.on('data', (chunk) => {
      text += chunk;
      if (text.includes(words)) resolve(text);
    });
    stream.on('end', () => reject(new Error(`never printed ${JSON.stringify(words)}, but: ${text}`)));
  });
}
