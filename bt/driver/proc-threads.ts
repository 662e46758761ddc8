import { readdirSync, readFileSync } from 'node:fs';
import type { BlockedAt, CpuTime, LiveThread, NamedKernelAddress } from '../../metrics/facts.ts';
import { addressesOf } from '../../parsers/kernel-symbols.ts';
import {
  parseKernelStack,
  parseSchedstat,
  parseStat,
  parseStatus,
  parseUserPc,
  type Stat,
} from '../../parsers/proc.ts';
import { tryRead } from './procfs.ts';

/** Thread ids of a process; none when it is gone. */
export function threadsOf(pid: number): number[] {
  return (tryRead(() => readdirSync(`/proc/${pid}/task`)) ?? []).map(Number);
}

/** Processes of this machine, without kernel threads. */
export function userProcesses(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => statOf(pid, pid)?.kernelThread === false);
}

/** Tells whether a process is a kernel thread, such as kworker. */
export function isKernelThread(pid: number): boolean {
  return statOf(pid, pid)?.kernelThread === true;
}

/** The process that a thread belongs to: itself for a process. */
export function processOf(tid: number): number | undefined {
  return parseStatus(tryRead(() => readFileSync(`/proc/${tid}/status`, 'utf8')) ?? '').tgid;
}

/** Whether calls of a process pass a seccomp filter. */
function hasFilter(pid: number): boolean {
  return parseStatus(tryRead(() => readFileSync(`/proc/${pid}/status`, 'utf8')) ?? '').seccomp === 2;
}

/** Whether a process exists and has not exited. */
export function isAlive(pid: number): boolean {
  return lives(statOf(pid, pid)?.state);
}

/** Whether a thread of that state has not exited: one that nobody has waited for is still in /proc. */
function lives(state: string | undefined): state is string {
  return state !== undefined && state !== 'Z' && state !== 'X';
}

/**
 * Names every thread of the processes to the running program by kill(tid, 0), until no new ones appear.
 *
 * @param list returns the processes; called for each pass
 * @returns the threads that were named
 */
export function nameThreads(list: () => readonly number[]): LiveThread[] {
  process.kill(process.pid, 0); // the collection begins
  const began = process.hrtime.bigint();
  const named = new Map<number, LiveThread>();
  for (let added = true; added; ) {
    added = false;
    for (const pid of list()) {
      for (const tid of threadsOf(pid)) {
        if (named.has(tid)) continue;
        // Taken before, so that no lifetime is shorter than the thread's waits if we lose the CPU in between.
        const namedNs = Number(process.hrtime.bigint() - began);
        tryRead(() => process.kill(tid, 0));
        const state = statOf(pid, tid)?.state ?? '?';
        named.set(tid, { pid, tid, comm: commOf(pid, tid) ?? '', state, namedNs, cpu: cpuTimeOf(pid, tid) });
        added = true;
      }
    }
  }
  return [...named.values()];
}

/** Whether a named thread had exited when it was named. */
export function hasExited({ state }: LiveThread): boolean {
  return state === '?' || !lives(state);
}

/** Adds where threads are blocked: the kernel stack of each, and the user address from which it entered the kernel. */
export function withStacks(threads: readonly LiveThread[]): LiveThread[] {
  return withKernelAddresses(
    threads.map((thread) => ({ ...thread, blocked: blockedAt(thread.pid, thread.tid) })),
  );
}

/** The threads that are alive, and the CPU time of each so far. */
export function liveThreads(pids: Iterable<number>): LiveThread[] {
  const threads: LiveThread[] = [];
  for (const pid of pids) {
    for (const tid of threadsOf(pid)) {
      const comm = commOf(pid, tid);
      const state = statOf(pid, tid)?.state;
      const filtered = tid === pid && hasFilter(pid);
      if (comm !== undefined && lives(state))
        threads.push({ pid, tid, comm, state, filtered, cpu: cpuTimeOf(pid, tid) });
    }
  }
  return threads;
}

/** The scheduler's counts of a thread so far. */
function cpuTimeOf(pid: number, tid: number): CpuTime | undefined {
  return parseSchedstat(tryRead(() => readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'utf8')) ?? '');
}

function commOf(pid: number, tid: number): string | undefined {
  return tryRead(() => readFileSync(`/proc/${pid}/task/${tid}/comm`, 'utf8').replace(/\n$/, ''));
}

function statOf(pid: number, tid: number): Stat | undefined {
  return parseStat(tryRead(() => readFileSync(`/proc/${pid}/task/${tid}/stat`, 'utf8')) ?? '');
}

function blockedAt(pid: number, tid: number): BlockedAt {
  const read = (file: string) =>
    tryRead(() => readFileSync(`/proc/${pid}/task/${tid}/${file}`, 'utf8')) ?? '';
  return {
    kernel: parseKernelStack(read('stack')).map((place) => ({ address: '0x0', ...place })),
    user: (parseUserPc(read('syscall')) ?? '').replace(/^0x/, ''),
  };
}

/** /proc/PID/stack hides addresses: each is the address of its symbol plus the offset. */
function withKernelAddresses(threads: LiveThread[]): LiveThread[] {
  const wanted = new Set(threads.flatMap((t) => (t.blocked?.kernel ?? []).map((place) => place.symbol)));
  if (wanted.size === 0) return threads;
  const symbols = addressesOf(tryRead(() => readFileSync('/proc/kallsyms', 'latin1')) ?? '', wanted);
  const withAddress = (place: NamedKernelAddress): NamedKernelAddress => {
    const base = symbols.get(place.symbol);
    return base ? { ...place, address: `0x${(BigInt(base) + BigInt(place.offset)).toString(16)}` } : place;
  };
  return threads.map((t) =>
    t.blocked ? { ...t, blocked: { ...t.blocked, kernel: t.blocked.kernel.map(withAddress) } } : t,
  );
}
