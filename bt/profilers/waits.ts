import { z } from 'zod';
import type { Entry } from '../../parsers/entries.ts';
import { readInteger } from '../../parsers/integer.ts';
import { type NumberedStacks, splitStacks } from './stacks.ts';
import { type CallId, splitState } from './syscall-times.ts';

/** prev_state of a thread that was blocked already when it was named to the program; no kernel state has it. */
export const SEEDED = 0x1000;
/** prev_state of a thread that was made and has not run yet. */
export const MADE = 0x2000;
/** In the place of a prev_state: the thread is on a CPU. */
export const RUNNING = 0x4000;

/** What one thread waited in one state and one stack, as the kernel added it up. */
export interface WaitRow {
  readonly pid: number;
  readonly tid: number;
  readonly generation: number;
  readonly state: TaskState;
  /** The system call that it was within; with --syscall-times. */
  readonly call: CallId | undefined;
  /** The wait was on already when the collection began, and counts from there; it has no stack. */
  readonly sinceStart: boolean;
  readonly count: number;
  readonly totalNs: number;
  /** The thread was new: nobody was there whose stack could be taken. */
  readonly made: boolean;
  /** Stacks as bpftrace printed them; empty when there is none. */
  readonly kernel: string;
  readonly user: string;
}

/** What a thread was doing when the maps were printed: a wait that had not ended, or, when `running`, a run. */
export interface OpenWait extends Omit<WaitRow, 'count' | 'totalNs'> {
  readonly running: boolean;
  readonly sinceNs: number;
  /** How long it had been on a CPU before that. */
  readonly ranNs: number;
}

/** The letters of ps and /proc: running or runnable, sleeping, disk sleep, stopped, traced, dead, idle, parked. */
export const TASK_STATES = ['R', 'S', 'D', 'T', 't', 'X', 'Z', 'P', 'I', '?'] as const;
export type TaskState = (typeof TASK_STATES)[number];

const integer = z.preprocess(readInteger, z.number());
const id = z.preprocess(readInteger, z.int().max(0xffff_ffff));
const waiting = [integer, id, id, integer, integer, integer, integer] as const;
const openWait = z.union([z.tuple([...waiting, integer, integer]), z.tuple(waiting).rest(z.string())]);

/**
 * One entry of `@waits`; undefined when it cannot be read.
 * Key: `tid,tgid,generation,state[,kernel stack,user stack]`, or the numbers of the stacks in their place; value:
 * `{"count":5,"average":20,"total":100}`.
 */
export function readWait(entry: Entry, numbered?: NumberedStacks): WaitRow | undefined {
  const key = /^(\d{1,10}),(\d{1,10}),(\d{1,10}),(\d{1,16})(?:,|$)/.exec(entry.key);
  const stats = readStats(entry.value);
  if (!key || !stats) return undefined;
  const [kernel, user] = splitStacks(entry.key.slice(key[0].length), numbered);
  return {
    tid: Number(key[1]),
    pid: Number(key[2]),
    generation: Number(key[3]),
    ...readState(Number(key[4]), kernel, user),
    count: stats.count,
    totalNs: stats.totalNs,
  };
}

/** What `stats()` adds up; by hand, for a large print has more of them than of all else. */
function readStats(value: unknown): Pick<WaitRow, 'count' | 'totalNs'> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { count: counted, total } = value as Record<string, unknown>;
  const [count, totalNs] = [readInteger(counted), readInteger(total)];
  if (!count || totalNs === undefined) return undefined; // a sum of nothing was read wrongly
  return { count, totalNs };
}

/**
 * One entry of `@off`: key is the tid, value `[since, tgid, generation, state, ran, longest, shortest[, kernel stack, user
 * stack]]`, or their numbers. The extremes are those of `@extremes`.
 */
export function readOpenWait(entry: Entry, numbered?: NumberedStacks): OpenWait | undefined {
  const value = openWait.safeParse(entry.value);
  if (!value.success || !/^\d{1,10}$/.test(entry.key)) return undefined;
  const [sinceNs, pid, generation, state, ranNs, _longest, _shortest, ...stacks] = value.data;
  const [kernel, user] = splitStacks(stacks.join(','), numbered);
  const running = state === RUNNING;
  return {
    tid: Number(entry.key),
    pid,
    generation,
    ...readState(state, kernel, user),
    running,
    sinceNs,
    ranNs,
  };
}

const extremes = z.tuple([integer, integer]);

/** The longest and the shortest wait of a thread, ns. */
export interface Extremes {
  readonly tid: number;
  readonly pid: number;
  readonly longestNs: number;
  readonly shortestNs: number;
}

/** One entry of `@extremes`: key `tid,tgid`, value `[longest, shortest]` in ns. */
export function readExtremes(entry: Entry): Extremes | undefined {
  const key = /^(\d{1,10}),(\d{1,10})$/.exec(entry.key);
  const value = extremes.safeParse(entry.value);
  if (!key || !value.success) return undefined;
  const [longestNs, shortestNs] = value.data;
  return { tid: Number(key[1]), pid: Number(key[2]), longestNs, shortestNs };
}

/** One entry of `@unseen` or `@missed`: key tid, value how many of its switches into a CPU, or out of one, were not seen. */
export function readUnseen(entry: Entry): number | undefined {
  return /^\d{1,10}$/.test(entry.key) ? readInteger(entry.value) : undefined;
}

/** The name of a thread in the result: `PID:TID`. */
export function threadKey(pid: number, tid: number): string {
  return `${pid}:${tid}`;
}

/**
 * A wait that another thread began, by a name or by making the thread, carries the stacks of that one where whole stacks are
 * kept: they are dropped.
 */
function readState(word: number, kernel: string, user: string) {
  const { state, call } = splitState(word);
  const [sinceStart, made] = [state === SEEDED, state === MADE];
  const own = !sinceStart && !made;
  return {
    state: own ? stateLetter(state) : made ? ('R' as const) : ('?' as const),
    call,
    sinceStart,
    made,
    kernel: own ? kernel : '',
    user: own ? user : '',
  };
}

/** `prev_state` of sched_switch: one bit each, 0 or 0x100 when the thread could have run on. */
function stateLetter(state: number): TaskState {
  const letters: readonly [number, TaskState][] = [
    [0x01, 'S'],
    [0x02, 'D'],
    [0x04, 'T'],
    [0x08, 't'],
    [0x10, 'X'],
    [0x20, 'Z'],
    [0x40, 'P'],
    [0x80, 'I'],
  ];
  if (state === 0 || state === 0x100) return 'R';
  return letters.find(([bit]) => state & bit)?.[1] ?? '?';
}
