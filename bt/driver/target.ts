import type { LiveThread } from '../../metrics/facts.ts';
import type { MappingCache } from '../symbols/mapping-cache.ts';
import type { Follow } from '../tracking.ts';
import type { HeldTarget } from './held-target.ts';
import { nameThreads, threadsOf, userProcesses, withStacks } from './proc-threads.ts';
import type { StopAtEntry } from './unwind.ts';

/** What is profiled. */
export type Target = RunTarget | AttachTarget | { readonly kind: 'system' };

/** A command that is held until bpftrace is ready. */
export interface RunTarget {
  readonly kind: 'run';
  readonly held: HeldTarget;
  readonly cmd: readonly string[];
  readonly executable: string;
  /** Where the command is stopped so that its stacks can be unwound by DWARF. */
  readonly stopAtEntry?: StopAtEntry | undefined;
}

/** Running processes. */
export interface AttachTarget {
  readonly kind: 'attach';
  readonly pids: readonly number[];
  /** The processes whose user stacks are unwound by DWARF. */
  readonly dwarfPids?: readonly number[];
}

/** Which processes one bpftrace follows. */
export interface Scope {
  readonly follow: Follow;
  /** Number of running threads that will be followed. */
  readonly threads: number;
  /** Processes whose user stacks are unwound by DWARF: bpftrace reads their unwind tables when it starts. */
  readonly dwarfPids: readonly number[];
}

/** @param children whether the children of the target's processes are followed */
export function scopeOf(target: Target, children: boolean): Scope {
  if (target.kind === 'run') {
    const { held, stopAtEntry } = target;
    const { pid } = held;
    const follow = { kind: 'held', pid, children, entry: stopAtEntry?.entry } as const;
    return { follow, threads: 0, dwarfPids: [] };
  }
  const pids = target.kind === 'attach' ? target.pids : userProcesses();
  return {
    follow: { kind: 'named', by: process.pid, children },
    threads: pids.reduce((count, pid) => count + threadsOf(pid).length, 0),
    dwarfPids: (target.kind === 'attach' ? target.dwarfPids : undefined) ?? [],
  };
}

/**
 * Releases the command, or names the running threads to the program.
 *
 * @param ours processes that belong to btprof, which `system` leaves out
 * @returns the threads named
 */
export function startTarget(
  target: Target,
  mappings: Pick<MappingCache, 'read'>,
  ours: readonly (number | undefined)[],
): LiveThread[] {
  if (target.kind === 'run') {
    target.held.release();
    return [];
  }
  const named = nameThreads(
    target.kind === 'attach' ? () => target.pids : () => userProcesses().filter((pid) => !ours.includes(pid)),
  );
  for (const pid of new Set(named.map((thread) => thread.pid))) void mappings.read(pid, 1);
  return withStacks(named); // after all have been named: each wait counts from there
}
