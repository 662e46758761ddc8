import type { LiveThread } from '../../metrics/facts.ts';
import type { Follow } from '../tracking.ts';
import type { HeldTarget } from './held-target.ts';
import type { Session } from './session.ts';
import { nameThreads, threadsOf, userProcesses, withStacks } from './threads.ts';
import type { Hold } from './unwind.ts';

/** What is profiled. */
export type Subject =
  | {
      readonly kind: 'run';
      readonly target: HeldTarget;
      readonly cmd: readonly string[];
      readonly executable: string;
    }
  | { readonly kind: 'attach'; readonly pids: readonly number[] }
  | { readonly kind: 'system' };

/**
 * How the program is told of it.
 *
 * @param children whether those of its processes are followed
 * @param hold how the command is held at its entry
 */
export function followOf(subject: Subject, children: boolean, hold: Hold | undefined): Follow {
  if (subject.kind === 'run') {
    const { pid, execs } = subject.target;
    return { kind: 'held', pid, execs, children, entry: hold?.entry };
  }
  return { kind: 'named', by: process.pid, children };
}

/** How many threads are there to be followed already. */
export function threadsAt(subject: Subject): number {
  if (subject.kind === 'run') return 0;
  const pids = subject.kind === 'attach' ? subject.pids : userProcesses();
  return pids.reduce((sum, pid) => sum + threadsOf(pid).length, 0);
}

/**
 * Lets the command go, or names the threads that run already.
 *
 * @param ours processes that belong to us
 * @returns the threads named
 */
export function begin(
  { mappings }: Session,
  subject: Subject,
  ours: readonly (number | undefined)[],
): LiveThread[] {
  if (subject.kind === 'run') {
    subject.target.release();
    return [];
  }
  const named = nameThreads(
    subject.kind === 'attach'
      ? () => subject.pids
      : () => userProcesses().filter((pid) => !ours.includes(pid)),
  );
  for (const pid of new Set(named.map((thread) => thread.pid))) void mappings.read(pid, 1);
  return withStacks(named); // after all have been named: each wait counts from there
}
