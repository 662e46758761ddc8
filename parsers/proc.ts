/** One executable mapping of a process. Addresses are hexadecimal in /proc and exceed 2^53: BigInt. */
export interface Mapping {
  readonly start: bigint;
  readonly end: bigint;
  /** Offset of `start` in the file. */
  readonly fileOffset: bigint;
  /** Device and inode of the file, `fe:00 1234`; `00:00 0` for memory without a file. */
  readonly file: string;
  /** File path, or a name such as `[vdso]`; empty for anonymous memory. */
  readonly path: string;
}

/**
 * Reads the executable mappings in /proc/PID/maps (proc_pid_maps(5)).
 *
 * ```
 * 7f4dddaed000-7f4dddb1b000 r-xp 00026000 fe:00 1234   /usr/lib/x86_64-linux-gnu/libc.so.6
 * ```
 */
export function parseMaps(text: string): Mapping[] {
  const row = /(?<![^\n])([0-9a-f]+)-([0-9a-f]+) ..x. ([0-9a-f]+) (\S+ \d+) *([^\n]*)/g;
  return [...text.matchAll(row)].map((m) => ({
    start: BigInt(`0x${m[1]}`),
    end: BigInt(`0x${m[2]}`),
    fileOffset: BigInt(`0x${m[3]}`),
    file: m[4] as string,
    path: m[5] as string,
  }));
}

/** Whether a path names memory that never was a file in a directory: memfd_create(2), shmat(2), shared memory, huge pages. */
export function isMemory(path: string): boolean {
  return /^\/(memfd:|anon_hugepage\b|dev\/zero\b|SYSV[0-9a-f]{8}\b)/.test(path);
}

/** `PF_KTHREAD` of linux/sched.h. */
const KERNEL_THREAD = 0x00200000;

/** Ticks per second (USER_HZ), in which the kernel prints times. */
const TICKS = 100;

/** A process or a thread, from /proc/PID/stat or /proc/PID/task/TID/stat. */
export interface Stat {
  /** One letter, such as `S`. */
  readonly state: string;
  readonly ppid: number;
  /** The controlling terminal; 0 without one. */
  readonly ttyNr: number;
  readonly kernelThread: boolean;
  /** CPU time in user code and in the kernel; of a process, that of all its threads. */
  readonly cpuNs: number;
  /** When it started, in seconds since boot. */
  readonly startSeconds: number;
}

/**
 * Reads /proc/PID/stat (proc_pid_stat(5)). The name in parentheses may hold anything.
 *
 * ```
 * 2933 (a) b) S 1 2933 2933 34816 2933 4194304 …
 * ```
 *
 * @returns undefined when fields are missing
 */
export function parseStat(text: string): Stat | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields.length < 20) return undefined;
  const number = (index: number) => Number(fields[index]);
  return {
    state: fields[0] as string,
    ppid: number(1),
    ttyNr: number(4),
    kernelThread: (number(6) & KERNEL_THREAD) !== 0,
    cpuNs: (number(11) + number(12)) * (1e9 / TICKS),
    startSeconds: number(19) / TICKS,
  };
}

/** A process or a thread, from /proc/PID/status; a field is undefined where the kernel prints no such line. */
export interface Status {
  /** The process that a thread belongs to. */
  readonly tgid: number | undefined;
  /** The effective user. */
  readonly uid: number | undefined;
  /** Process id in the innermost PID namespace. */
  readonly innerPid: number | undefined;
  /** 2: calls of the thread pass a seccomp filter. */
  readonly seccomp: number | undefined;
  /** Peak of resident memory. Kernel threads have none. */
  readonly peakBytes: number | undefined;
}

/**
 * Reads /proc/PID/status (proc_pid_status(5)).
 *
 * ```
 * Tgid:\t2933
 * Uid:\t1000\t1000\t1000\t1000
 * NSpid:\t2933\t1
 * Seccomp:\t0
 * VmHWM:\t   81920 kB
 * ```
 */
export function parseStatus(text: string): Status {
  const number = (row: RegExp) => {
    const digits = row.exec(text)?.[1];
    return digits === undefined ? undefined : Number(digits);
  };
  const peakKb = number(/^VmHWM:\s+(\d+) kB$/m);
  return {
    tgid: number(/^Tgid:\s+(\d+)/m),
    uid: number(/^Uid:\s+\d+\s+(\d+)/m),
    seccomp: number(/^Seccomp:\s+(\d+)/m),
    innerPid: number(/^NSpid:.*\s(\d+)$/m),
    peakBytes: peakKb === undefined ? undefined : peakKb * 1024,
  };
}

/** Reads a thread's CPU time and its time on the run queue from /proc/PID/task/TID/schedstat. */
export function parseSchedstat(text: string): { onCpuNs: number; runDelayNs: number } | undefined {
  const [, onCpu, delay] = /^(\d+) (\d+) \d+\s*$/.exec(text) ?? [];
  return onCpu === undefined ? undefined : { onCpuNs: Number(onCpu), runDelayNs: Number(delay) };
}

/** Reads when the machine booted, in seconds since 1970, from /proc/stat. */
export function parseBootTime(text: string): number | undefined {
  const seconds = /^btime (\d+)$/m.exec(text)?.[1];
  return seconds === undefined ? undefined : Number(seconds);
}

/** Reads the soft limit of open files from /proc/PID/limits: a number, or `unlimited`. */
export function parseOpenFilesLimit(text: string): string | undefined {
  return /^Max open files\s+(\d+|unlimited)\s/m.exec(text)?.[1];
}

/**
 * Reads the kernel frames of a blocked thread from /proc/PID/task/TID/stack, leaf first. Only root may read that file.
 *
 * ```
 * [<0>] futex_wait_queue+0x60/0x90
 * ```
 */
export function parseKernelStack(text: string): { symbol: string; offset: number }[] {
  const row = /^\[<[^>]*>\] ([^\s+]+)\+0x([0-9a-f]+)\//gm;
  return [...text.matchAll(row)].map((m) => ({
    symbol: m[1] as string,
    offset: Number.parseInt(m[2] as string, 16),
  }));
}

/**
 * Reads the address from which a blocked thread entered the kernel, from /proc/PID/task/TID/syscall: its last two words
 * are the stack pointer and the program counter. For a running thread the file has only the word `running`.
 */
export function parseUserPc(text: string): string | undefined {
  return /0x[0-9a-f]+ (0x[0-9a-f]+)\s*$/.exec(text)?.[1];
}
