import { type CallId, callInProgress } from '../../../metrics/syscall-name.ts';
import type { StackIds } from '../../../metrics/window.ts';
import { id, word } from '../../map-reader.ts';
import { counts, record, sums } from '../../maps.ts';

/**
 * Stands for a prev_state: the thread was already blocked when it was named to the program. The kernel does not use
 * this bit.
 */
export const SEEDED = 0x1000;
/** Stands for a prev_state: the thread is new and has not run yet. */
export const NEW = 0x2000;
/** Stands for a prev_state: the thread is on a CPU. */
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
 * One entry for each thread, also while it runs: the current wait or run, when it began (ns), and its stacks. `ran`:
 * how long the thread was on a CPU before, ns. `longest`, `shortest`: its waits so far, as in `extremes`.
 */
export const off = record(
  '@off',
  { tid: id },
  { since: word, pid: id, generation: id, state: word, ran: word, longest: word, shortest: word },
  { role: 'leftover', stacks: true, seeded: true, reportsFull: true },
);

/** Switch-ins for which the kernel ran no BPF program; the waits that they ended are reconstructed. */
export const unseen = counts('@unseen', { tid: id }, { oneWriter: true });
/** Switch-outs for which the kernel ran no BPF program; the waits that they began are missing. */
export const missed = counts('@missed', { tid: id }, { oneWriter: true });

/** The letters of ps and /proc: running or runnable, sleeping, disk sleep, stopped, traced, dead, idle, parked. */
export const TASK_STATES = ['R', 'S', 'D', 'T', 't', 'X', 'Z', 'P', 'I', '?'] as const;
export type TaskState = (typeof TASK_STATES)[number];

/** Bits of the state in a state word; the system call is above them. */
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
  /** The system call in which the thread waited; undefined if there is none or it is unknown. */
  readonly call: CallId | undefined;
  /** The wait began before the collection, and counts from its start; it has no stack. */
  readonly sinceStart: boolean;
  /** The thread was new, so its stack could not be read. */
  readonly isNew: boolean;
  /** It is not a wait but a run on a CPU. */
  readonly running: boolean;
}

export type RowOf<M> = M extends { read: (...args: never[]) => { rows: readonly (infer R)[] } } ? R : never;

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
 * Drops stacks that belong to another thread. If whole stacks are stored, a wait that began when another thread named
 * or created this one has the stacks of that thread.
 */
export function ownStacks(
  { sinceStart, isNew }: Pick<WaitState, 'sinceStart' | 'isNew'>,
  { kernel, user }: StackIds,
): StackIds {
  return sinceStart || isNew ? { kernel: [], user: [] } : { kernel, user };
}

/** `prev_state` of sched_switch: one bit each; 0 or 0x100 when the thread could have run on. */
function stateLetter(state: number): TaskState {
  if (state === 0 || state === 0x100) return 'R';
  return LETTERS.find(([bit]) => state & bit)?.[1] ?? '?';
}

const LETTERS: readonly (readonly [bit: number, letter: TaskState])[] = [
  [0x01, 'S'],
  [0x02, 'D'],
  [0x04, 'T'],
  [0x08, 't'],
  [0x10, 'X'],
  [0x20, 'Z'],
  [0x40, 'P'],
  [0x80, 'I'],
];
