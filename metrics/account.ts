import { readOpenWait } from '../bt/profilers/waits.ts';
import type { Recording } from '../parsers/recording.ts';
import type { Offcpu } from './ebpf-schema.ts';
import type { CpuTime, Ending, Facts } from './facts.ts';
import type { Reason } from './reasons.ts';
import type { Account } from './schema.ts';
import { type Names, namedByTid, startOf } from './threads.ts';

/** ns, by `PID:TID`. */
type Times = ReadonlyMap<string, number>;

/**
 * Where the lifetimes of all threads went: on the CPU, by the scheduler's own count, what that count is wrong by, off it for
 * each reason, by our waits, and what none of them has. Threads of which one of the figures is missing are left out, and
 * counted.
 *
 * @param ran how long they were on a CPU from switch to switch, for those of which that is known
 */
export function accountOf(
  lifetimes: Times,
  cpu: ReadonlyMap<string, CpuTime>,
  ran: Times,
  offcpu: Pick<Offcpu, 'stacks' | 'still_blocked'>,
  { threads: comms, threadCount }: Pick<Names, 'threads' | 'threadCount'>,
): Account {
  const known = [...lifetimes.keys()].filter((key) => cpu.has(key));
  const isKnown = new Set(known);
  const waits = [...offcpu.stacks, ...offcpu.still_blocked.map(open)].filter(({ pid, tid }) =>
    isKnown.has(`${pid}:${tid}`),
  );
  const lived = sum(known.map((key) => lifetimes.get(key) ?? 0));
  const onCpu = sum(known.map((key) => cpu.get(key)?.onCpuNs ?? 0));
  const off = sum(waits.map(({ time_ns }) => time_ns));
  const rows = byThread(known, waits, { lifetimes, cpu, ran, comms });
  const miscounted = sum(Object.values(rows).map(({ miscounted_ns }) => miscounted_ns));
  return {
    threads: known.length,
    threads_unknown: Math.max(0, threadCount - known.length),
    thread_time_ns: lived,
    on_cpu_ns: onCpu,
    off_cpu_ns: byReason(waits),
    idle_ns: byReason(waits.filter(({ idle }) => idle !== null)),
    miscounted_ns: miscounted,
    unaccounted_ns: lived - onCpu - off - miscounted,
    run_delay_ns: sum(known.map((key) => cpu.get(key)?.runDelayNs ?? 0)),
    by_thread: rows,
  };
}

function byThread(
  keys: readonly string[],
  waits: readonly { pid: number; tid: number; time_ns: number }[],
  {
    lifetimes,
    cpu,
    ran,
    comms,
  }: {
    lifetimes: Times;
    cpu: ReadonlyMap<string, CpuTime>;
    ran: Times;
    comms: Names['threads'];
  },
): Account['by_thread'] {
  const off = new Map<string, number>();
  for (const { pid, tid, time_ns } of waits) {
    const key = `${pid}:${tid}`;
    off.set(key, (off.get(key) ?? 0) + time_ns);
  }
  const row = (key: string) => {
    const counted = cpu.get(key)?.onCpuNs ?? 0;
    return {
      comm: comms.get(Number(key.split(':')[1])) ?? null,
      time_ns: lifetimes.get(key) ?? 0,
      on_cpu_ns: counted,
      miscounted_ns: (ran.get(key) ?? counted) - counted,
      off_cpu_ns: off.get(key) ?? 0,
    };
  };
  return Object.fromEntries(keys.map((key) => [key, row(key)]));
}

/** A wait that goes on has lasted until the end. */
function open(wait: Offcpu['still_blocked'][number]) {
  return { pid: wait.pid, tid: wait.tid, reason: wait.reason, idle: wait.idle, time_ns: wait.blocked_ns };
}

function byReason(waits: readonly { reason: Reason; time_ns: number }[]): Account['off_cpu_ns'] {
  const sums = new Map<Reason, number>();
  for (const { reason, time_ns } of waits) sums.set(reason, (sums.get(reason) ?? 0) + time_ns);
  return Object.fromEntries([...sums].sort(([, a], [, b]) => b - a));
}

/** What each thread used within the collection, by `PID:TID`: until its exit or the end, less what it had used before. */
export function cpuTimes(recording: Recording, facts: Facts, { alive }: Ending): Map<string, CpuTime> {
  const named = namedByTid(facts);
  const { began } = recording;
  const before = (pid: number, tid: number): CpuTime => {
    if (began?.pid === tid) return began.cpu;
    const thread = named.get(tid);
    return thread?.pid === pid && thread.cpu ? thread.cpu : { onCpuNs: 0, runDelayNs: 0 };
  };
  const times = new Map<string, CpuTime>();
  const add = ({ pid, tid, cpu }: { pid: number; tid: number; cpu?: CpuTime | undefined }) => {
    if (!cpu) return;
    const key = `${pid}:${tid}`;
    const [earlier, start] = [times.get(key), times.has(key) ? undefined : before(pid, tid)];
    times.set(key, {
      onCpuNs: (earlier?.onCpuNs ?? 0) + cpu.onCpuNs - (start?.onCpuNs ?? 0),
      runDelayNs: (earlier?.runDelayNs ?? 0) + cpu.runDelayNs - (start?.runDelayNs ?? 0),
    });
  };
  const start = startOf(recording, facts);
  // What a thread had used that was there before, and is gone before it was named, nobody knows.
  const isKnown = ({ pid, tid, start: born }: Recording['exits'][number]) =>
    facts.mode === 'run' || born === 0 || born >= start || named.get(tid)?.pid === pid;
  recording.exits.filter(isKnown).forEach(add);
  alive.forEach(add);
  for (const { pid, oldTid, cpu } of recording.renamed) {
    add({ pid, tid: oldTid, cpu });
    take(times, `${pid}:${pid}`, cpu);
  }
  return times;
}

/** Takes from the time of the number that a thread took what it had used under its old one. */
function take(times: Map<string, CpuTime>, key: string, cpu: CpuTime | undefined): void {
  const known = times.get(key);
  if (!known || !cpu) return;
  const onCpuNs = known.onCpuNs - cpu.onCpuNs;
  times.set(key, { onCpuNs, runDelayNs: known.runDelayNs - cpu.runDelayNs });
}

/**
 * How long each thread was on a CPU from switch to switch: until its exit or the end.
 *
 * @param alive that of the threads that are there at the end
 */
export function ranTimes({ exits, renamed, earlierThreads }: Recording, alive: Times): Map<string, number> {
  const times = new Map(alive);
  const add = (pid: number, tid: number, ns: number | undefined) => {
    if (ns !== undefined) times.set(`${pid}:${tid}`, (times.get(`${pid}:${tid}`) ?? 0) + ns);
  };
  for (const { pid, tid, ranNs } of exits) add(pid, tid, ranNs);
  for (const { pid, oldTid, ranNs } of renamed) add(pid, oldTid, ranNs);
  for (const thread of earlierThreads.map((entry) => readOpenWait(entry)))
    if (thread) add(thread.pid, thread.tid, thread.ranNs);
  return times;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
