import type { Facts } from './facts.ts';
import { type Folded, threadNumber } from './folded-threads.ts';
import { currentSession, type RecordedSession, type Recorder, type ThreadEvents } from './recording.ts';
import { cpuTimes, keyOf, lifetimes, ranTimes, startOf, threadCounts } from './threads.ts';

/** Number of finished threads that have their own rows. */
export const FINISHED_KEPT = 8192;
/** Maximum number of names and errors of folded threads. The BPF maps have no more rows by default. */
const FOLDED_KEPT = 131_072;

/**
 * Adds the threads that ended first to the sums if there are too many. The collection must have begun.
 *
 * @param kept number of finished threads that have their own rows
 */
export function foldFinished(recorder: Recorder, facts: Facts, kept = FINISHED_KEPT): void {
  const session = currentSession(recorder);
  if (session.exits.length < 2 * kept) return;
  const finished = takeFinished(session, session.exits.length - kept, facts);
  const { folded } = recorder;
  const events = { ...session, ...finished, pause: undefined, earlierRuns: [] };
  const span = { start: startOf(events, facts), end: finished.exits.at(-1)?.at ?? 0 };
  const lived = lifetimes(events, facts, [], span);
  const cpu = cpuTimes(events, facts, []);
  const ran = ranTimes(events, new Map());
  const counts = threadCounts(events, []);
  foldNames(folded, finished, facts);
  for (const [key, { pid, tid }] of endedThreads(finished)) {
    const [timeNs, used] = [lived.get(key), cpu.get(key)];
    if (timeNs === undefined || !used) continue;
    const miscountNs = (ran.get(key) ?? used.onCpuNs) - used.onCpuNs;
    const number = threadNumber(pid, tid);
    folded.known += counts.get(key) ?? 0;
    folded.timeNs += timeNs;
    folded.onCpuNs += used.onCpuNs;
    folded.runDelayNs += used.runDelayNs;
    folded.miscountNs += miscountNs;
    keep(folded.miscounts, number, (folded.miscounts.get(number) ?? 0) + miscountNs);
  }
}

function foldNames(folded: Folded, { exits, forks }: ThreadEvents, facts: Facts): void {
  folded.threads += exits.length;
  folded.forks += forks.length;
  const named = new Set(facts.named.map(keyOf));
  for (const { pid, tid, comm } of exits) {
    keep(folded.threadNames, tid, comm);
    if (pid === tid) keep(folded.processNames, pid, comm);
    if (named.has(keyOf({ pid, tid }))) folded.named.add(keyOf({ pid, tid }));
  }
}

/** Lists ended threads by `PID:TID`, including numbers that threads gave up when they ran another program. */
function endedThreads({ exits, renamed }: ThreadEvents): Map<string, { pid: number; tid: number }> {
  const old = renamed.map(({ pid, oldTid }) => ({ pid, tid: oldTid }));
  return new Map([...exits, ...old].map(({ pid, tid }) => [keyOf({ pid, tid }), { pid, tid }]));
}

/**
 * Removes the first exits from a session, with all other events of their threads and processes. The main thread of the
 * command stays: the collection is timed from its exec.
 */
function takeFinished(session: RecordedSession, count: number, { mode, pids }: Facts): ThreadEvents {
  const isCommand = ({ pid, tid }: { readonly pid: number; readonly tid: number }) =>
    mode === 'run' && pid === pids[0] && tid === pid;
  const first = session.exits.splice(0, count);
  session.exits.unshift(...first.filter(isCommand));
  const exits = first.filter((exit) => !isCommand(exit));
  const last = new Map(exits.map(({ pid, tid, at }) => [keyOf({ pid, tid }), at]));
  // A number that is used again later belongs to another thread.
  const isOver = (key: string, at: number) => at <= (last.get(key) ?? -1);
  const take = <E extends { readonly at: number }>(events: E[], keyIn: (event: E) => string): E[] => {
    const taken = events.filter((event) => isOver(keyIn(event), event.at));
    const left = events.filter((event) => !isOver(keyIn(event), event.at));
    events.splice(0, events.length, ...left);
    return taken;
  };
  const ofProcess = ({ pid }: { readonly pid: number }) => keyOf({ pid, tid: pid });
  const renamed = take(session.renamed, ofProcess);
  for (const { pid, oldTid, at } of renamed) last.set(keyOf({ pid, tid: oldTid }), at);
  return {
    exits,
    renamed,
    execs: take(session.execs, ofProcess),
    forks: take(session.forks, ofProcess),
    threads: take(session.threads, keyOf),
  };
}

/** Adds an entry, and removes the oldest one if there are too many. */
function keep<V>(entries: Map<number, V>, number: number, value: V): void {
  entries.delete(number);
  entries.set(number, value);
  if (entries.size > FOLDED_KEPT) entries.delete(entries.keys().next().value as number);
}
