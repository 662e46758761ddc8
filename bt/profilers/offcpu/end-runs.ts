import type { Window } from '../../../metrics/measurement.ts';
import { keyOf } from '../../../metrics/threads.ts';
import type { OpenRow } from './off-maps.ts';

type AtEnd = Pick<Window, 'alive' | 'lookedAt' | 'end'>;
type OpenRun = Pick<OpenRow, 'pid' | 'tid' | 'since' | 'ran' | 'running' | 'sinceStart'>;

/**
 * Tells whether an entry is a run on a CPU. It can be that of a thread that seemed blocked when it was named but has
 * used a CPU since.
 */
export function isRun(
  { running, sinceStart, tid }: Pick<OpenRun, 'running' | 'sinceStart' | 'tid'>,
  { alive }: Pick<AtEnd, 'alive'>,
): boolean {
  return running || (sinceStart && alive.get(tid)?.busy === true);
}

/**
 * Measures how long the threads that are alive at the end were on a CPU, from switch to switch, ns, by `PID:TID`. Also
 * counts the threads whose last switch-out was missed: they seem to run, but how long they ran is unknown.
 */
export function runsAtEnd(
  entries: readonly OpenRun[],
  end: AtEnd,
): { ran: Map<string, number>; unseen: number } {
  const alive = entries.filter(({ tid, since }) => end.alive.has(tid) || since >= end.lookedAt);
  const known = alive.filter((entry) => !wentUnseen(entry, end));
  return {
    ran: new Map(known.map((entry) => [keyOf(entry), ranUntil(entry, end)])),
    unseen: alive.length - known.length,
  };
}

/**
 * Tells whether a switch-out was missed: the thread seems to run, but at the end it was neither on a CPU nor ready for
 * one.
 */
function wentUnseen({ running, tid, since }: OpenRun, { alive, lookedAt }: AtEnd): boolean {
  return running && since < lookedAt && alive.get(tid)?.runnable !== true;
}

function ranUntil(entry: OpenRun, end: AtEnd): number {
  return entry.ran + (isRun(entry, end) ? Math.max(0, end.end - entry.since) : 0);
}
