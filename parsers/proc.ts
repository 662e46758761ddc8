/** One executable mapping of a process. Addresses are hexadecimal in /proc and exceed 2^53: BigInt. */
export interface Mapping {
  readonly start: bigint;
  readonly end: bigint;
  /** Offset of `start` in the file. */
  readonly fileOffset: bigint;
  /** Device and inode of the file, `fe:00 1234`; `00:00 0` for memory of no file. */
  readonly file: string;
  /** File path, or a name such as `[vdso]`; empty for anonymous memory. */
  readonly path: string;
}

/**
 * The executable mappings in the text of /proc/PID/maps (proc_pid_maps(5)).
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

/** Whether a path stands for memory that was never a file in any directory (memfd_create(2), shmat(2), /dev/zero). */
export function isMemory(path: string): boolean {
  return /^\/(memfd:|dev\/zero\b|SYSV[0-9a-f]{8}\b)/.test(path);
}

/** The rows of /proc/PID/maps that are executable: all that is kept of it. */
export function executableRows(text: string): string {
  return text.match(/(?<![^\n])\S+ ..x[^\n]*\n/g)?.join('') ?? '';
}

/** `PF_KTHREAD` of linux/sched.h. */
const KERNEL_THREAD = 0x00200000;

/**
 * What we need of /proc/PID/stat (proc_pid_stat(5)); the name in parentheses may hold anything.
 *
 * ```
 * 2933 (a) b) S 1 2933 2933 34816 2933 4194304 …
 * ```
 */
export function parseStat(
  text: string,
): { state: string; ppid: number; ttyNr: number; kernelThread: boolean } | undefined {
  const [state, ppid, , , ttyNr, , flags] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (!state || flags === undefined) return undefined;
  return {
    state,
    ppid: Number(ppid),
    ttyNr: Number(ttyNr),
    kernelThread: (Number(flags) & KERNEL_THREAD) !== 0,
  };
}

/** The process of a thread, from /proc/TID/status, which is there for every thread. */
export function parseTgid(text: string): number | undefined {
  const tgid = /^Tgid:\s+(\d+)/m.exec(text)?.[1];
  return tgid === undefined ? undefined : Number(tgid);
}

/** The user whose rights a process has, and its number within its own PID namespace, from /proc/PID/status. */
export function parseOwner(text: string): { uid: number; innerPid: number } | undefined {
  const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(text)?.[1];
  const pid = /^NSpid:.*\s(\d+)$/m.exec(text)?.[1];
  return uid === undefined || pid === undefined ? undefined : { uid: Number(uid), innerPid: Number(pid) };
}

/** What a thread used of the CPU, and how long it was ready without having one, ns, from /proc/PID/task/TID/schedstat. */
export function parseSchedstat(text: string): { onCpuNs: number; runDelayNs: number } | undefined {
  const [, onCpu, delay] = /^(\d+) (\d+) \d+\s*$/.exec(text) ?? [];
  return onCpu === undefined ? undefined : { onCpuNs: Number(onCpu), runDelayNs: Number(delay) };
}

/** When a process started, in ticks since boot, from /proc/PID/stat. */
export function parseStartTicks(text: string): number | undefined {
  const ticks = text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
  return ticks === undefined ? undefined : Number(ticks);
}

/** Ticks a second (USER_HZ). */
export const TICKS = 100;

/** What a process has used of the CPUs with all its threads, in user code and in the kernel, ns, from /proc/PID/stat. */
export function parseCpuTime(text: string): number | undefined {
  const [user, system] = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  return system === undefined ? undefined : (Number(user) + Number(system)) * (1e9 / TICKS);
}

/** The most that a process had of resident memory, bytes, from /proc/PID/status. */
export function parsePeakMemory(text: string): number | undefined {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(text)?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

/** When the machine booted, in seconds since 1970, from /proc/stat. */
export function parseBootTime(text: string): number | undefined {
  const seconds = /^btime (\d+)$/m.exec(text)?.[1];
  return seconds === undefined ? undefined : Number(seconds);
}

/** The soft limit of open files in /proc/PID/limits: a number, or `unlimited`. */
export function parseOpenFilesLimit(text: string): string | undefined {
  return /^Max open files\s+(\d+|unlimited)\s/m.exec(text)?.[1];
}

/**
 * Kernel frames of a blocked thread from /proc/PID/task/TID/stack, leaf first; root only.
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
 * Where a blocked thread entered the kernel, from /proc/PID/task/TID/syscall: its last two words are the stack
 * pointer and the program counter. A running thread says `running`.
 */
export function parseUserPc(text: string): string | undefined {
  return /0x[0-9a-f]+ (0x[0-9a-f]+)\s*$/.exec(text)?.[1];
}

/**
 * Addresses of the wanted symbols in /proc/kallsyms (`ffffffff81000000 T _text [module]`), as `0x…`; none where the
 * kernel hides them (kptr_restrict), which it does as zeros.
 */
export function parseKallsyms(text: string, wanted: ReadonlySet<string>): Map<string, string> {
  const found = new Map<string, string>();
  for (const m of text.matchAll(/^([0-9a-f]+) \w (\S+)/gm)) {
    const name = m[2] as string;
    if (wanted.has(name) && !found.has(name) && !/^0+$/.test(m[1] as string)) found.set(name, `0x${m[1]}`);
  }
  return found;
}
