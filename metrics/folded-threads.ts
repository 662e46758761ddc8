/**
 * Threads and processes that ended long ago, as sums: the memory of a collection stays bounded however many there are.
 * Times are ns.
 */
export interface Folded {
  /** All folded threads, and those whose times are all known. */
  threads: number;
  known: number;
  /** Processes that were created within the collection. */
  forks: number;
  /** Sums of the known threads. */
  timeNs: number;
  onCpuNs: number;
  runDelayNs: number;
  miscountNs: number;
  /**
   * For each known thread, by `threadNumber`: its time on a CPU minus the scheduler's count. Whether that is reliable
   * is known only at the end. The map also shows whose waits belong to known threads.
   */
  readonly miscounts: Map<number, number>;
  /** Folded threads that ran when the collection began, as `PID:TID`. */
  readonly named: Set<string>;
  /** Names of threads by tid, and of processes by pid. */
  readonly threadNames: Map<number, string>;
  readonly processNames: Map<number, string>;
}

export function noneFolded(): Folded {
  return {
    ...{ threads: 0, known: 0, forks: 0, timeNs: 0, onCpuNs: 0, runDelayNs: 0, miscountNs: 0 },
    ...{ miscounts: new Map(), named: new Set(), threadNames: new Map(), processNames: new Map() },
  };
}

/** One more than the largest pid or tid of the kernel (PID_MAX_LIMIT). */
const PID_LIMIT = 2 ** 22;

/** Combines pid and tid into one number; each has 22 bits. */
export function threadNumber(pid: number, tid: number): number {
  return pid * PID_LIMIT + tid;
}

/** The tid in such a number. */
export function tidOf(threadNumber: number): number {
  return threadNumber % PID_LIMIT;
}
