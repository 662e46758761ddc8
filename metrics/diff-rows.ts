import { callChains } from './call-chain.ts';
import type { Offcpu, Oncpu } from './ebpf-schema.ts';
import { countOf, type Measured, single, sumOf, timeOf } from './noise.ts';
import type { Profile } from './schema.ts';
import { COMPAT_PREFIX } from './syscall-name.ts';
import {
  frameMark,
  frameName,
  type StackFrame,
  stacksOf,
  type TimedStack,
  waitingStacks,
} from './timed-stacks.ts';

/** A row of a table of one profile: what it is about, and its figures. */
export interface Row<Label, Field extends string> {
  readonly label: Label;
  readonly figures: Readonly<Record<Field, Measured>>;
}

/** By what makes rows of two profiles the same one. */
export type Table<Label, Field extends string> = ReadonlyMap<string, Row<Label, Field>>;

type Waits = 'time_ns' | 'waits';

/** Waits by reason. */
export function reasonRows(profile: Profile): Table<{ reason: string }, Waits> {
  return addedUp(waitsOf(profile), ({ reason }) => ({ reason }));
}

/** Waits by name of the thread: pids and tids are others in each run. */
export function threadRows(profile: Profile): Table<{ comm: string | null }, Waits | 'threads'> {
  const waits = waitsOf(profile);
  const threads = new Map<string, Set<string>>();
  for (const { comm, pid, tid } of waits) {
    const key = keyOf({ comm });
    const known = threads.get(key) ?? new Set();
    threads.set(key, known.add(`${pid}:${tid}`));
  }
  const rows = addedUp(waits, ({ comm }) => ({ comm }));
  return new Map(
    [...rows].map(([key, { label, figures }]) => [
      key,
      { label, figures: { ...figures, threads: single(threads.get(key)?.size ?? 0) } },
    ]),
  );
}

export interface StackLabel {
  readonly comm: string | null;
  readonly kind: TimedStack['kind'];
  readonly idle: boolean;
  /** Root first. */
  readonly frames: readonly StackFrame[];
}

/** Stacks that share name of the thread, kind and names of functions: a reader of profiles that are to be matched. */
export function newStackRows(sampled: boolean): (profile: Profile) => Table<StackLabel, Waits> {
  const numbers = new Map<string, number>();
  const numberOf = (name: string) => {
    const number = numbers.get(name) ?? numbers.size;
    numbers.set(name, number);
    return number;
  };
  return (profile) => {
    const known = new Map<StackFrame, number>();
    const frameNumber = (frame: StackFrame) => {
      const number = known.get(frame) ?? numberOf(markedName(frame));
      known.set(frame, number);
      return number;
    };
    const stacks = sampled ? stacksOf(profile) : waitingStacks(profile);
    return addedUp(
      stacks.map((stack) => ({ ...stackLabel(stack), timeNs: stack.timeNs, events: eventsOf(stack) })),
      stackLabel,
      ({ comm, kind, idle, frames }) =>
        `${JSON.stringify([comm, kind, idle])}${frames.map(frameNumber).join()}`,
    );
  };
}

function stackLabel({ comm, kind, idle, frames }: StackLabel): StackLabel {
  return { comm, kind, idle, frames };
}

/** Waits, or samples; one that had not ended is one, too. */
function eventsOf({ count, open }: TimedStack): number {
  return count + (open ? 1 : 0);
}

/** Name of a frame, marked as stackcollapse-perf.pl does: `_[k]` for a function of the kernel, `_[i]` for an inlined one. */
export function markedName(frame: StackFrame): string {
  return frameName(frame) + frameMark(frame);
}

export interface ChainLabel {
  readonly kind: string;
  readonly idle: boolean;
  readonly functions: string;
}

/** Stacks that look alike in the summary. */
export function chainRows(profile: Profile, sampled: boolean): Table<ChainLabel, Waits> {
  const { offcpu, oncpu } = profile.ebpf;
  const { textOf } = callChains(offcpu?.frames ?? []);
  const waits = waitsOf(profile).map(({ reason, idle, place, timeNs, events }) => {
    return { kind: reason as string, idle, functions: textOf(place), timeNs, events };
  });
  const ran = oncpu && sampled ? samplesOf(oncpu) : [];
  return addedUp([...waits, ...ran], ({ kind, idle, functions }) => ({ kind, idle, functions }));
}

function samplesOf({ frames, stacks, total_time_ns, total_samples }: Oncpu) {
  const { textOf } = callChains(frames);
  const each = total_time_ns / Math.max(1, total_samples);
  return stacks.map((row) => {
    const functions = textOf({ ...row, reason: 'other' });
    return { kind: 'on_cpu', idle: false, functions, timeNs: row.count * each, events: row.count };
  });
}

/** Every wait, also those that had not ended; without frames, which take longest to look up. */
function waitsOf({ ebpf: { offcpu } }: Profile) {
  if (!offcpu) return [];
  const wait = (row: Offcpu['stacks'][number] | Offcpu['still_blocked'][number]) => {
    const { pid, tid, reason, idle } = row;
    return { pid, tid, reason, idle: idle !== null, place: row };
  };
  const ended = offcpu.stacks.map((row) => {
    const { comm = null } = offcpu.thread_stats[`${row.pid}:${row.tid}`] ?? {};
    return { ...wait(row), comm, timeNs: row.time_ns, events: row.count };
  });
  const open = offcpu.still_blocked.map((row) => {
    return { ...wait(row), comm: row.comm, timeNs: row.blocked_ns, events: 1 };
  });
  return [...ended, ...open];
}

/** System calls by name, with those of the 32-bit entry. */
export function callRows(profile: Profile): Table<{ name: string }, 'count' | 'errors'> {
  const { by_syscall = {}, compat_32bit } = profile.ebpf.syscalls ?? {};
  const calls = [
    ...Object.entries(by_syscall),
    ...Object.entries(compat_32bit?.by_syscall ?? {}).map(
      ([name, call]) => [COMPAT_PREFIX + name, call] as const,
    ),
  ];
  return new Map(
    calls.map(([name, { count, errors = 0 }]) => [
      name,
      { label: { name }, figures: { count: countOf(count), errors: countOf(errors) } },
    ]),
  );
}

function keyOf(label: object): string {
  return JSON.stringify(label);
}

/** Sums of the items that have one key, and of their variances: waits of different stacks are scattered in different ways. */
function addedUp<Item extends { readonly timeNs: number; readonly events: number }, Label extends object>(
  items: readonly Item[],
  labelOf: (item: Item) => Label,
  key: (label: Label) => string = keyOf,
): Table<Label, Waits> {
  const groups = new Map<string, { label: Label; times: Measured[]; events: number }>();
  for (const item of items) {
    const label = labelOf(item);
    const at = key(label);
    const group = groups.get(at) ?? { label, times: [], events: 0 };
    group.times.push(timeOf(item.timeNs, item.events));
    group.events += item.events;
    groups.set(at, group);
  }
  return new Map(
    [...groups].map(([at, { label, times, events }]) => [
      at,
      { label, figures: { time_ns: sumOf(times), waits: countOf(events) } },
    ]),
  );
}
