import { readOpenWait } from '../bt/profilers/waits.ts';
import type { Recording } from '../parsers/recording.ts';
import type { Ending, Facts, LiveThread } from './facts.ts';

type NamedThread = Pick<LiveThread, 'pid' | 'tid' | 'comm'>;

/** The span of a collection, ns of the kernel's clock. */
export interface Span {
  readonly start: number;
  readonly end: number;
  /** Wall time of what was profiled. */
  readonly wall: number;
}

/** `run` is timed by the kernel, from the command's exec to its exit; the others from start to end. */
export function spanOf(recording: Recording, facts: Facts, ending: Ending): Span {
  const start = startOf(recording, facts);
  const end = recording.end ?? recording.tick ?? start + ending.elapsedNs;
  if (facts.mode !== 'run') return { start, end, wall: Math.max(0, end - start) };
  const [pid] = facts.pids;
  // The main thread may leave first, and another may take its place by exec: the last one ends the process.
  const left = recording.exits.findLast((e) => e.pid === pid)?.at ?? end;
  return { start, end, wall: Math.max(0, Math.min(left, end) - start - heldNs(recording)) };
}

/** How long we held the command at its entry: from its stop on, which comes some time after it was asked for. */
function heldNs({ entry, start, earlierThreads }: Recording): number {
  if (entry === undefined || start === undefined) return 0;
  const stopped = earlierThreads.map((thread) => readOpenWait(thread)).find((wait) => wait?.state === 'T');
  return start - Math.max(entry, stopped?.sinceNs ?? entry);
}

/** When the command became itself, or the threads were named; BEGIN was shortly before either. */
export function startOf(recording: Recording, { mode, pids }: Facts): number {
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

/** The last known names: at a thread's exit, at the end, at exec or fork, or at the start. */
export function namesOf(recording: Recording, { named }: Facts, alive: readonly NamedThread[]): Names {
  const processes = new Map<number, string>();
  const threads = new Map<number, string>();
  const seen = new Set<string>();
  const see = ({ pid, tid, comm }: NamedThread) => {
    if (tid === pid || !processes.has(pid)) processes.set(pid, comm);
    threads.set(tid, comm);
    seen.add(`${pid}:${tid}`);
  };
  named.forEach(see);
  for (const event of [...recording.execs, ...recording.forks].sort((a, b) => a.at - b.at)) {
    const comm = event.type === 'exec' ? event.comm : (processes.get(event.parent) ?? '');
    see({ pid: event.pid, tid: event.pid, comm });
  }
  alive.forEach(see);
  recording.exits.forEach(see);
  const { forks, exits } = recording;
  const first = named.length > 0 ? new Set(named.map(({ pid }) => pid)).size : 1;
  return {
    processes,
    threads,
    // A pid that was used again is one name and several processes; a lost event is one process and no name.
    processCount: Math.max(processes.size, processes.size > 0 ? first + forks.length : 0),
    threadCount: Math.max(seen.size, alive.length + exits.length),
  };
}

/** The threads that ran when the collection began, by tid. */
export function namedByTid({ named }: Facts): Map<number, LiveThread> {
  return new Map(named.map((thread) => [thread.tid, thread]));
}

/**
 * How long threads lived within the collection, ns, by `PID:TID`: those that exited, if their start is known, and those
 * that are alive at the end.
 */
export function lifetimes(
  recording: Recording,
  facts: Facts,
  { alive }: Ending,
  span: Span,
): Map<string, number> {
  const births = birthsOf(recording, facts, span);
  const bornBefore = (thread: ThreadId, at: number) =>
    births.get(keyOf(thread))?.findLast((birth) => birth <= at);
  const lived = new Map<string, number>();
  // A number that was used again stands for all who had it, as it does in the waits.
  const add = (thread: ThreadId, from: number | undefined, until: number) => {
    if (from === undefined) return;
    const held = from < (recording.entry ?? 0) ? heldNs(recording) : 0;
    const ns = Math.max(0, until - Math.max(from, span.start) - held);
    lived.set(keyOf(thread), (lived.get(keyOf(thread)) ?? 0) + ns);
  };
  // The start is that of the thread that ended: the birth may be that of one which had its number before.
  for (const exit of recording.exits) {
    const birth = bornBefore(exit, exit.at);
    add(exit, exit.start > 0 ? Math.max(birth ?? 0, exit.start) : birth, exit.at);
  }
  for (const thread of alive) add(thread, bornBefore(thread, span.end), span.end);
  for (const { pid, oldTid: tid, at } of recording.renamed)
    add({ pid, tid }, bornBefore({ pid, tid }, at), at);
  return lived;
}

type ThreadId = Pick<LiveThread, 'pid' | 'tid'>;

function keyOf({ pid, tid }: ThreadId): string {
  return `${pid}:${tid}`;
}

/** When threads began to be followed, by `PID:TID`. */
function birthsOf(recording: Recording, facts: Facts, span: Span): Map<string, number[]> {
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
