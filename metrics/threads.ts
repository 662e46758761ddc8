import type { CpuTime, Ending, Facts, LiveThread } from './facts.ts';
import type { Recording, ThreadEvents } from './recording.ts';
import { sumBy } from './sums.ts';

type NamedThread = Pick<LiveThread, 'pid' | 'tid' | 'comm'>;

/** The span of a collection, ns of the kernel's clock. */
export interface Span {
  readonly start: number;
  readonly end: number;
  /** Wall time of what was profiled. */
  readonly wall: number;
}

/**
 * Computes the span. `run` counts from the command's exec to its exit, by the kernel's clock; the other modes from
 * start to end.
 */
export function spanOf(recording: Recording, facts: Facts, ending: Ending): Span {
  const start = startOf(recording, facts);
  const end = recording.end ?? recording.tick ?? start + ending.elapsedNs;
  if (facts.mode !== 'run') return { start, end, wall: Math.max(0, end - start) };
  const [pid] = facts.pids;
  // The main thread may exit first, and another may replace it by exec: the last exit ends the process.
  const left = recording.exits.findLast((e) => e.pid === pid)?.at ?? end;
  return { start, end, wall: Math.max(0, Math.min(left, end) - start - pausedNs(recording)) };
}

function pausedNs({ pause }: Pick<Recording, 'pause'>): number {
  return pause ? pause.to - pause.from : 0;
}

/** The time of the command's exec, or of naming the running threads; BEGIN was shortly before. */
export function startOf(
  recording: Pick<Recording, 'execs' | 'start' | 'begin'>,
  { mode, pids }: Facts,
): number {
  const exec = mode === 'run' ? recording.execs.find((e) => e.pid === pids[0]) : undefined;
  return exec?.at ?? recording.start ?? recording.begin ?? 0;
}

/** Names of all processes and threads seen. */
export interface Names {
  /** By pid. */
  readonly processes: ReadonlyMap<number, string>;
  /** By tid. */
  readonly threads: ReadonlyMap<number, string>;
  readonly processCount: number;
  readonly threadCount: number;
}

/** Collects the last known names, from exits, the end, exec, fork or the start. */
export function namesOf(recording: Recording, { named }: Facts, alive: readonly NamedThread[]): Names {
  const { forks, exits, folded } = recording;
  const processes = new Map(folded.processNames);
  const threads = new Map(folded.threadNames);
  const seen = new Set<string>();
  const see = (thread: NamedThread) => {
    const { pid, tid, comm } = thread;
    if (tid === pid || !processes.has(pid)) processes.set(pid, comm);
    threads.set(tid, comm);
    seen.add(keyOf(thread));
  };
  named.filter((thread) => !folded.named.has(keyOf(thread))).forEach(see);
  for (const event of [...recording.execs, ...forks].sort((a, b) => a.at - b.at)) {
    const comm = event.type === 'exec' ? event.comm : (processes.get(event.parent) ?? '');
    see({ pid: event.pid, tid: event.pid, comm });
  }
  alive.forEach(see);
  exits.forEach(see);
  const first = named.length > 0 ? new Set(named.map(({ pid }) => pid)).size : 1;
  return {
    processes,
    threads,
    // A reused pid has one name for several processes; if an event was lost, a process has no name.
    processCount: Math.max(processes.size, processes.size > 0 ? first + forks.length + folded.forks : 0),
    threadCount: folded.threads + Math.max(seen.size, alive.length + exits.length),
  };
}

/** Indexes by tid the threads that ran when the collection began. */
export function namedByTid({ named }: Facts): Map<number, LiveThread> {
  return new Map(named.map((thread) => [thread.tid, thread]));
}

/**
 * How long threads lived within the collection, ns, by `PID:TID`: those that exited, if their start is known, and those
 * that are alive at the end.
 */
export function lifetimes(
  recording: Lives,
  facts: Facts,
  alive: readonly ThreadId[],
  span: Pick<Span, 'start' | 'end'>,
): Map<string, number> {
  const births = birthsOf(recording, facts, span);
  const bornBefore = (thread: ThreadId, at: number) =>
    births.get(keyOf(thread))?.findLast((birth) => birth <= at);
  const lived = new Map<string, number>();
  // A reused number stands for all threads that had it, as in the waits.
  const add = (thread: ThreadId, from: number | undefined, until: number) => {
    if (from === undefined) return;
    const held = from < (recording.pause?.asked ?? 0) ? pausedNs(recording) : 0;
    const ns = Math.max(0, until - Math.max(from, span.start) - held);
    lived.set(keyOf(thread), (lived.get(keyOf(thread)) ?? 0) + ns);
  };
  // The start belongs to the thread that ended. The birth may belong to an earlier thread with the same number.
  for (const exit of recording.exits) {
    const birth = bornBefore(exit, exit.at);
    add(exit, exit.start > 0 ? Math.max(birth ?? 0, exit.start) : birth, exit.at);
  }
  for (const thread of alive) add(thread, bornBefore(thread, span.end), span.end);
  for (const { pid, oldTid: tid, at } of recording.renamed)
    add({ pid, tid }, bornBefore({ pid, tid }, at), at);
  return lived;
}

/** What lifetimes and times on the CPU are computed from. */
type Lives = ThreadEvents & Pick<Recording, 'pause' | 'earlierRuns' | 'began' | 'start' | 'begin'>;

type ThreadId = Pick<LiveThread, 'pid' | 'tid'>;

/** `PID:TID` */
export function keyOf({ pid, tid }: ThreadId): string {
  return `${pid}:${tid}`;
}

/**
 * Counts the threads that had each number (`PID:TID`): several if it was reused. Numbers that a thread gave up are not
 * included.
 */
export function threadCounts(
  { exits }: Pick<ThreadEvents, 'exits'>,
  alive: readonly ThreadId[],
): Map<string, number> {
  return sumBy<ThreadId, string>([...exits, ...alive], keyOf, () => 1);
}

/** When threads began to be followed, by `PID:TID`. */
function birthsOf(recording: ThreadEvents, facts: Facts, span: Pick<Span, 'start'>): Map<string, number[]> {
  const first = facts.mode === 'run' ? facts.pids.map((pid) => ({ pid, tid: pid, namedNs: 0 })) : facts.named;
  const births = new Map(first.map((thread) => [keyOf(thread), [span.start + (thread.namedNs ?? 0)]]));
  const renamed = recording.renamed.map(({ pid, at }) => ({ pid, tid: pid, at }));
  for (const thread of [...recording.threads, ...renamed]) {
    const known = births.get(keyOf(thread));
    if (known) known.push(thread.at);
    else births.set(keyOf(thread), [thread.at]);
  }
  return births;
}

/**
 * CPU time of each thread within the collection, by `PID:TID`: until its exit or the end, minus its CPU time before.
 */
export function cpuTimes(recording: Lives, facts: Facts, alive: readonly LiveThread[]): Map<string, CpuTime> {
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
    const key = keyOf({ pid, tid });
    const [earlier, start] = [times.get(key), times.has(key) ? undefined : before(pid, tid)];
    times.set(key, {
      onCpuNs: (earlier?.onCpuNs ?? 0) + cpu.onCpuNs - (start?.onCpuNs ?? 0),
      runDelayNs: (earlier?.runDelayNs ?? 0) + cpu.runDelayNs - (start?.runDelayNs ?? 0),
    });
  };
  const start = startOf(recording, facts);
  // The earlier CPU time of a thread that ended before it was named is unknown.
  const isKnown = ({ pid, tid, start: born }: Recording['exits'][number]) =>
    facts.mode === 'run' || born === 0 || born >= start || named.get(tid)?.pid === pid;
  recording.exits.filter(isKnown).forEach(add);
  alive.forEach(add);
  for (const { pid, oldTid, cpu } of recording.renamed) {
    add({ pid, tid: oldTid, cpu });
    take(times, keyOf({ pid, tid: pid }), cpu);
  }
  return times;
}

/** Subtracts from a new number the CPU time that the thread used under its old number. */
function take(times: Map<string, CpuTime>, key: string, cpu: CpuTime | undefined): void {
  const known = times.get(key);
  if (!known || !cpu) return;
  const onCpuNs = known.onCpuNs - cpu.onCpuNs;
  times.set(key, { onCpuNs, runDelayNs: known.runDelayNs - cpu.runDelayNs });
}

/**
 * How long each thread was on a CPU from switch to switch, ns, by `PID:TID`: until its exit or the end.
 *
 * @param alive the same for threads that are alive at the end
 */
export function ranTimes(
  { exits, renamed, earlierRuns }: Pick<Lives, 'exits' | 'renamed' | 'earlierRuns'>,
  alive: ReadonlyMap<string, number>,
): Map<string, number> {
  const times = new Map(alive);
  const add = (pid: number, tid: number, ns: number | undefined) => {
    if (ns !== undefined) times.set(keyOf({ pid, tid }), (times.get(keyOf({ pid, tid })) ?? 0) + ns);
  };
  for (const { pid, tid, ranNs } of exits) add(pid, tid, ranNs);
  for (const { pid, oldTid, ranNs } of renamed) add(pid, oldTid, ranNs);
  for (const { pid, tid, ranNs } of earlierRuns) add(pid, tid, ranNs);
  return times;
}

/** What /proc showed of a thread shortly before the end. */
export interface EndState {
  /** On a CPU, or ready for one. */
  readonly runnable: boolean;
  /** Whether it is the main thread of a process with a seccomp filter. */
  readonly filtered: boolean;
  /** Whether it used a CPU for most of the time since the collection began. */
  readonly busy: boolean;
}

/** Minimum share of the time on a CPU for a thread that was never switched out. */
const BUSY = 0.5;

/** States of the threads at the end, by tid, as read from /proc. */
export function endStates(
  facts: Facts,
  alive: readonly LiveThread[],
  { start, end }: Pick<Span, 'start' | 'end'>,
): Map<number, EndState> {
  const named = namedByTid(facts);
  const state = (thread: LiveThread): [number, EndState] => {
    const used = usedSince(thread.cpu, named.get(thread.tid)?.cpu);
    const runnable = thread.state === 'R';
    const filtered = thread.filtered === true;
    return [thread.tid, { runnable, filtered, busy: runnable && (used ?? Infinity) > BUSY * (end - start) }];
  };
  return new Map(alive.map(state));
}

function usedSince(now: CpuTime | undefined, before: CpuTime | undefined): number | undefined {
  return now && before ? now.onCpuNs - before.onCpuNs : undefined;
}
