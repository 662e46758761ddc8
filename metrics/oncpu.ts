import { FREQUENCY_HZ, readSample, type SampleRow } from '../bt/profilers/oncpu.ts';
import type { NumberedStacks } from '../bt/profilers/stacks.ts';
import { threadKey } from '../bt/profilers/waits.ts';
import type { Entry } from '../parsers/entries.ts';
import { readInteger } from '../parsers/integer.ts';
import type { Oncpu } from './ebpf-schema.ts';
import type { FrameTable } from './frames.ts';
import { distinct, hashOf, sameNumbers } from './hash.ts';

/** What each sample stands for, ns. */
const PERIOD_NS = Math.round(1e9 / FREQUENCY_HZ);

interface OncpuInput {
  /** Names of threads by tid. */
  readonly comms: ReadonlyMap<number, string>;
  /** Whether stacks were asked for. */
  readonly stacks: boolean;
  readonly numbered: NumberedStacks;
}

/** On-CPU metrics out of the kernel's counts of samples; `frames` grows by the frames of their stacks. */
export function oncpuMetrics(
  entries: readonly Entry[],
  frames: FrameTable,
  { comms, stacks, numbered }: OncpuInput,
): { metrics: Oncpu; unreadable: number; stacksMissing: number; framesCut: number } {
  const read = entries.map((entry) => readSample(entry, numbered));
  const samples = read.filter((sample) => sample !== undefined);
  const rows = stackRows(samples, frames);
  const total = sum(rows.map(({ count }) => count));
  return {
    metrics: {
      frequency_hz: FREQUENCY_HZ,
      total_samples: total,
      total_time_ns: total * PERIOD_NS,
      thread_stats: threadStats(rows, comms),
      stacks: rows,
      frames: [...frames.frames],
      mappings: [...frames.mappings],
    },
    unreadable: read.length - samples.length,
    stacksMissing: stacks ? sum(rows.map((row) => (isEmpty(row) ? row.count : 0))) : 0,
    framesCut: sum(rows.map((row) => row.user_cut)),
  };
}

type StackRow = Oncpu['stacks'][number];

/** Most samples first. Kernel rows that differ in words that are no code only are one. */
function stackRows(samples: readonly SampleRow[], frames: FrameTable): StackRow[] {
  const rows = distinct(hashOfRow, areAlike);
  for (const { pid, tid, generation, count, ...texts } of samples) {
    const user = frames.user(texts.user, pid, generation);
    const kernel = frames.kernel(texts.kernel);
    const row = { pid, tid, count, user: user.stack, user_cut: user.cut, user_incomplete: user.incomplete };
    const one: StackRow = { ...row, kernel };
    const known = rows.items[rows.indexOf(one)];
    if (known !== undefined && known !== one) known.count += count;
  }
  return rows.items.toSorted((a, b) => b.count - a.count);
}

function hashOfRow({ pid, tid, kernel, user }: StackRow): number {
  return hashOf(user, hashOf(kernel, hashOf([pid, tid])));
}

function areAlike(a: StackRow, b: StackRow): boolean {
  const same = a.pid === b.pid && a.tid === b.tid && a.user_cut === b.user_cut;
  return same && sameNumbers(a.kernel, b.kernel) && sameNumbers(a.user, b.user);
}

/** A thread on a CPU is in user code, or in the kernel. */
function isEmpty({ user, kernel }: StackRow): boolean {
  return user.length === 0 && kernel.length === 0;
}

function threadStats(rows: readonly StackRow[], comms: ReadonlyMap<number, string>): Oncpu['thread_stats'] {
  const threads = new Map<string, Oncpu['thread_stats'][string]>();
  for (const { pid, tid, count } of rows) {
    const key = threadKey(pid, tid);
    const thread = threads.get(key) ?? { tid, comm: comms.get(tid) ?? null, samples: 0 };
    threads.set(key, { ...thread, samples: thread.samples + count });
  }
  return Object.fromEntries([...threads].sort(([, a], [, b]) => b.samples - a.samples));
}

/** Rows of `@oncpu`, less what they were at the start of the interval. */
export function samplesBetween(now: readonly Entry[], before: readonly Entry[]): Entry[] {
  const earlier = countByKey(before);
  return [...countByKey(now)].flatMap(([key, count]) => {
    const value = count - (earlier.get(key) ?? 0);
    return value > 0 ? [{ key, value }] : [];
  });
}

/** Keys may print alike: what they hold is subtracted together. */
function countByKey(entries: readonly Entry[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { key, value } of entries) counts.set(key, (counts.get(key) ?? 0) + (readInteger(value) ?? 0));
  return counts;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
