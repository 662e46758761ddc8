import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';

const POLL_MS = 5;
/** A process that was killed is gone at once, but for a machine that is busy. */
const POLLS = 2000;

/** Waits until a condition holds, which a test relies on; its time limit is that of the test. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(POLL_MS);
}

/** None of the processes is left. */
export async function expectEnded(pids: readonly number[]): Promise<void> {
  const left = () => pids.filter((pid) => !['', 'Z', 'X'].includes(stateOf(pid)));
  for (let i = 0; i < POLLS && left().length > 0; i++) await sleep(POLL_MS);
  expect(left()).toEqual([]);
}

/** One letter, as proc(5) has it: `S` asleep, `T` stopped, `Z` ended; empty when the process is gone. */
export function stateOf(pid: number): string {
  try {
    return /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? '';
  } catch {
    return '';
  }
}

/** Waits until a stream has said something; resolves to all that it said until then. */
export function said(stream: NodeJS.ReadableStream, words: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    stream.on('data', (chunk) => {
      text += chunk;
      if (text.includes(words)) resolve(text);
    });
    stream.on('end', () => reject(new Error(`never said ${JSON.stringify(words)}, but: ${text}`)));
  });
}
