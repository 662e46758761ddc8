import { type OpenWait, threadKey } from '../bt/profilers/waits.ts';
import type { CpuTime, Ending, Facts, LiveThread } from './facts.ts';
import { namedByTid, type Span } from './threads.ts';

/** What /proc had of a thread shortly before the end. */
export interface EndState {
  /** On a CPU, or ready for one. */
  readonly runnable: boolean;
  /** It has used a CPU for most of the time since the collection began. */
  readonly busy: boolean;
}

/** What tells runs from waits that seem to be runs. */
export interface AtEnd {
  /** Threads that were there at the end, by tid. */
  readonly alive: ReadonlyMap<number, EndState>;
  /** When they were looked at, at the earliest, ns of the kernel's clock. */
  readonly lookedAt: number;
  /** End of the collection, by the same clock. */
  readonly end: number;
}

/** Share of the time for which a thread that never went out has to have used a CPU. */
const BUSY = 0.5;

/** How threads were at the end, as the kernel tells it besides the program. */
export function atEnd(facts: Facts, { alive, aliveAgeNs = 0 }: Ending, { start, end }: Span): AtEnd {
  const named = namedByTid(facts);
  const state = (thread: LiveThread): [number, EndState] => {
    const used = usedSince(thread.cpu, named.get(thread.tid)?.cpu);
    const runnable = thread.state === 'R';
    return [thread.tid, { runnable, busy: runnable && (used ?? Infinity) > BUSY * (end - start) }];
  };
  return { alive: new Map(alive.map(state)), lookedAt: end - aliveAgeNs, end };
}

function usedSince(now: CpuTime | undefined, before: CpuTime | undefined): number | undefined {
  return now && before ? now.onCpuNs - before.onCpuNs : undefined;
}

/** Whether a thread that was named, as perhaps blocked, has been on a CPU since: only who uses one is no wait. */
export function isRun({ running, sinceStart, tid }: OpenWait, { alive }: AtEnd): boolean {
  return running || (sinceStart && alive.get(tid)?.busy === true);
}

/**
 * How long threads that are there at the end were on a CPU, from switch to switch, ns, by `PID:TID`; and how many seem to run
 * and do not, for nobody saw them go out: how long these ran is not known.
 */
export function runsAtEnd(
  threads: readonly OpenWait[],
  end: AtEnd,
): { ran: Map<string, number>; unseen: number } {
  const there = threads.filter(({ tid, sinceNs }) => end.alive.has(tid) || sinceNs >= end.lookedAt);
  const known = there.filter((thread) => !wentUnseen(thread, end));
  return {
    ran: new Map(known.map((thread) => [threadKey(thread.pid, thread.tid), ranUntil(thread, end)])),
    unseen: there.length - known.length,
  };
}

/** It was neither on a CPU nor ready for one, in the midst of what seems to be a run. */
function wentUnseen({ running, tid, sinceNs }: OpenWait, { alive, lookedAt }: AtEnd): boolean {
  return running && sinceNs < lookedAt && alive.get(tid)?.runnable !== true;
}

function ranUntil(thread: OpenWait, end: AtEnd): number {
  return thread.ranNs + (isRun(thread, end) ? Math.max(0, end.end - thread.sinceNs) : 0);
}
