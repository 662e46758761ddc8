/**
 * Threads and processes that ended long ago, as sums: the memory of a collection stays bounded however many there are.
 * Times are ns.
 */
export interface Folded {
  /** Threads, and those of them whose times are all known. */
  threads: number;
  known: number;
  /** Processes that were created within the collection. */
  forks: number;
  /** Of the known threads. */
  timeNs: number;
  onCpuNs: number;
  runDelayNs: number;
  ranNs: number;
  /** Numbers of the known threads (`threadNumber`), whose waits belong to them. */
  readonly numbers: Set<number>;
  /** Those that ran when the collection began, as `PID:TID`. */
  readonly named: Set<string>;
  /** Names of threads by tid, and of processes by pid. */
  readonly threadNames: Map<number, string>;
  readonly processNames: Map<number, string>;
}

export function noneFolded(): Folded {
  return {
    ...{ threads: 0, known: 0, forks: 0, timeNs: 0, onCpuNs: 0, runDelayNs: 0, ranNs: 0 },
    ...{ numbers: new Set(), named: new Set(), threadNames: new Map(), processNames: new Map() },
  };
}

/** One number for a thread: the kernel's own have 22 bits (PID_MAX_LIMIT). */
export function threadNumber(pid: number, tid: number): number {
  return pid * 2 ** 22 + tid;
}
