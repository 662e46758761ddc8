import type { Account } from '../../../metrics/account-schema.ts';
import { type Folded, threadNumber, tidOf } from '../../../metrics/folded-threads.ts';
import type { Window } from '../../../metrics/measurement.ts';
import type { Reason } from '../../../metrics/reasons.ts';
import { sum, sumBy } from '../../../metrics/sums.ts';
import { keyOf, ranTimes } from '../../../metrics/threads.ts';
import { missed, off } from './off-maps.ts';
import type { Offcpu } from './off-schema.ts';

interface Wait {
  readonly pid: number;
  readonly tid: number;
  readonly reason: Reason;
  readonly idle: unknown;
  readonly time_ns: number;
}

/**
 * Divides the lifetimes of all threads into CPU time as counted by the scheduler, the error of that count, off-CPU time
 * by reason, and unaccounted time. Threads with a missing figure are left out and counted. Returns undefined without
 * BTF, and for a collection that was cut short, because its maps are not of the same moment.
 *
 * @param ranAtEnd how long the threads that are alive at the end were on a CPU, from switch to switch
 */
export function accountOf(
  part: Pick<Offcpu, 'stacks' | 'still_blocked'>,
  window: Window,
  ranAtEnd: ReadonlyMap<string, number>,
): Account | undefined {
  if (!window.isOneMoment || !window.facts.btf) return undefined;
  const { lifetimes, cpu, counts } = window.threads;
  const { folded } = window.recording;
  const known = [...lifetimes.keys()].filter((key) => cpu.has(key));
  const isKnown = new Set(known);
  const ofKnown = (wait: Wait) =>
    isKnown.has(keyOf(wait)) || folded.miscounts.has(threadNumber(wait.pid, wait.tid));
  const waits = [...part.stacks, ...part.still_blocked.map(open)].filter(ofKnown);
  const missedTids = new Set(window.rows(missed).map(({ tid }) => tid));
  const rows = byThread(known, waits, knownRuns(window, missedTids, ranAtEnd), window);
  const lived = sum(known.map((key) => lifetimes.get(key) ?? 0)) + folded.timeNs;
  const onCpu = sum(known.map((key) => cpu.get(key)?.onCpuNs ?? 0)) + folded.onCpuNs;
  const foldedMiscount = window.isFull(off) ? 0 : miscountOf(folded, missedTids);
  const miscounted = sum(Object.values(rows).map(({ miscounted_ns }) => miscounted_ns)) + foldedMiscount;
  const threads = sum(known.map((key) => counts.get(key) ?? 0)) + folded.known;
  return {
    threads,
    threads_unknown: Math.max(0, window.names.threadCount - threads),
    thread_time_ns: lived,
    on_cpu_ns: onCpu,
    off_cpu_ns: byReason(waits),
    idle_ns: byReason(waits.filter(({ idle }) => idle !== null)),
    miscounted_ns: miscounted,
    unaccounted_ns: lived - onCpu - sum(waits.map(({ time_ns }) => time_ns)) - miscounted,
    run_delay_ns: sum(known.map((key) => cpu.get(key)?.runDelayNs ?? 0)) + folded.runDelayNs,
    by_thread: rows,
  };
}

function byThread(
  keys: readonly string[],
  waits: readonly Wait[],
  ran: ReadonlyMap<string, number>,
  { threads: { lifetimes, cpu }, names }: Window,
): Account['by_thread'] {
  const off = sumBy(waits, keyOf, ({ time_ns }) => time_ns);
  const row = (key: string) => {
    const counted = cpu.get(key)?.onCpuNs ?? 0;
    return {
      comm: names.threads.get(Number(key.split(':')[1])) ?? null,
      time_ns: lifetimes.get(key) ?? 0,
      on_cpu_ns: counted,
      miscounted_ns: (ran.get(key) ?? counted) - counted,
      off_cpu_ns: off.get(key) ?? 0,
    };
  };
  return Object.fromEntries(keys.map((key) => [key, row(key)]));
}

/** A wait that has not ended counts until the end. */
function open(wait: Offcpu['still_blocked'][number]): Wait {
  return { pid: wait.pid, tid: wait.tid, reason: wait.reason, idle: wait.idle, time_ns: wait.blocked_ns };
}

function byReason(waits: readonly Wait[]): Account['off_cpu_ns'] {
  const sums = sumBy(
    waits,
    ({ reason }) => reason,
    ({ time_ns }) => time_ns,
  );
  return Object.fromEntries([...sums].sort(([, a], [, b]) => b - a));
}

/** Finds how long threads ran: unknown if `@off` was full, and for threads with a missed switch-out. */
function knownRuns(
  window: Window,
  missedTids: ReadonlySet<number>,
  ranAtEnd: ReadonlyMap<string, number>,
): Map<string, number> {
  if (window.isFull(off)) return new Map();
  const ran = ranTimes(window.recording, ranAtEnd);
  return new Map([...ran].filter(([key]) => !missedTids.has(Number(key.split(':')[1]))));
}

/** The scheduler's error for folded threads, without those with a missed switch-out. */
function miscountOf({ miscountNs, miscounts }: Folded, missedTids: ReadonlySet<number>): number {
  if (missedTids.size === 0) return miscountNs;
  const unknown = [...miscounts].filter(([number]) => missedTids.has(tidOf(number)));
  return miscountNs - sum(unknown.map(([, ns]) => ns));
}
