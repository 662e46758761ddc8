import { type CallId, callInProgress } from '../../../metrics/syscall-name.ts';
import type { StackIds } from '../../../metrics/window.ts';
import { id, word } from '../../map-reader.ts';
import { counts, record, sums } from '../../maps.ts';

/** In place of a prev_state: the thread was blocked already when it was named to the program. No kernel state has it. */
export const SEEDED = 0x1000;
/** In place of a prev_state: the thread is new and has not run yet. */
export const NEW = 0x2000;
/** In place of a prev_state: the thread is on a CPU. */
export const RUNNING = 0x4000;

/** Waits that ended, ns, by thread, exec generation, state and stacks. `state`: see `waitState`. */
export const waits = sums(
  '@waits',
  { tid: id, pid: id, generation: id, state: word },
  { stacks: true, seeded: true },
);

/** The longest and shortest wait of each thread, ns. */
export const extremes = record(
  '@extremes',
  { tid: id, pid: id },
  { longest: word, shortest: word },
  { role: 'result', seeded: true },
);

/**
 * One entry for each thread, also while it runs: the wait or run in progress, since when (ns), and then its stacks.
 * `ran`: how long the thread was on a CPU before, ns. `longest`, `shortest`: its waits so far, as in `extremes`.
 */
export const off = record(
  '@off',
  { tid: id },
  { since: word, pid: id, generation: id, state: word, ran: word, longest: word, shortest: word },
  { role: 'leftover', stacks: true, seeded: true, reportsFull: true },
);

/** Switches into a CPU that ran no program; their waits are reconstructed. */
export const unseen = counts('@unseen', { tid: id }, { oneWriter: true });
/** Switches out of a CPU that ran no program: the waits that they began are missing. */
export const missed = counts('@missed', { tid: id }, { oneWriter: true });

/** The letters of ps and /proc: running or runnable, sleeping, disk sleep, stopped, traced, dead, idle, parked. */
export const TASK_STATES = ['R', 'S', 'D', 'T', 't', 'X', 'Z', 'P', 'I', '?'] as const;
export type TaskState = (typeof TASK_STATES)[number];

/** Bits of the state word below the system call that the wait was within. */
const STATE_BITS = 16;

/** The expression that adds the system call in progress, where a profiler knows it, to the state of a wait. */
export function withCall(
  state: string,
  tid: string,
  { currentCall }: { readonly currentCall?: ((tid: string) => string) | undefined },
): string {
  return currentCall ? `${state} | (${currentCall(tid)} << ${STATE_BITS})` : state;
}

/** What the state word of a wait means. */
export interface WaitState {
  readonly state: TaskState;
  /** The system call that the wait was within; undefined for none, or when that is unknown. */
  readonly call: CallId | undefined;
  /** The wait was on already when the collection began, and counts from there; it has no stack. */
  readonly sinceStart: boolean;
  /** The thread was new: nobody could read its stack. */
  readonly isNew: boolean;
  /** It is no wait but a run. */
  readonly running: boolean;
}

type RowOf<M> = M extends { read: (...args: never[]) => { rows: readonly (infer R)[] } } ? R : never;

/** One row of `@waits`, with its state in words. */
export type WaitRow = Omit<RowOf<typeof waits>, 'state'> & WaitState;
/** One row of `@off`, with its state in words. */
export type OpenRow = Omit<RowOf<typeof off>, 'state'> & WaitState;

export function waitState(stateWord: number): WaitState {
  const state = stateWord % 2 ** STATE_BITS;
  const call = Math.floor(stateWord / 2 ** STATE_BITS);
  const [sinceStart, isNew] = [state === SEEDED, state === NEW];
  return {
    state: isNew ? 'R' : sinceStart ? '?' : stateLetter(state),
    call: callInProgress(call),
    sinceStart,
    isNew,
    running: state === RUNNING,
  };
}

/**
 * Stacks of a row. A wait that another thread began, by naming this one or by creating it, carries the stacks of that
 * other thread where whole stacks are kept: they are dropped.
 */
export function ownStacks({ sinceStart, isNew }: WaitState, { kernel, user }: StackIds): StackIds {
  return sinceStart || isNew ? { kernel: [], user: [] } : { kernel, user };
}

/** `prev_state` of sched_switch: one bit each; 0 or 0x100 when the thread could have run on. */
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
