import { SYSCALL_TABLE } from './syscall-table.ts';

/** A system call: a number in the kernel's 64-bit or 32-bit table. */
export interface CallId {
  readonly nr: number;
  /** Whether it came through the 32-bit entry point of a 64-bit kernel. */
  readonly compat: boolean;
}

/**
 * Added to the number of a 32-bit call, whose numbers mean other calls than the 64-bit ones. All numbers are
 * 32 bits wide and signed (−1 is a call that was skipped), so the two kinds cannot meet.
 */
export const COMPAT_BIT = 0x1_0000_0000;

/** Decodes a number with the compat bit. */
export function callOf(number: number): CallId {
  const compat = number >= COMPAT_BIT / 2;
  return { nr: compat ? number - COMPAT_BIT : number, compat };
}

/** Added to the number of a call in progress, so that 0 means none. */
export const IN_PROGRESS_OFFSET = 1;

/** Decodes the number of a call in progress; undefined for none. */
export function callInProgress(number: number): CallId | undefined {
  return number === 0 ? undefined : callOf(number - IN_PROGRESS_OFFSET);
}

/** The architectures btprof has system call tables for, as `uname -m` spells them. */
export type Arch = 'x86_64' | 'aarch64';

const COMPAT = { x86_64: SYSCALL_TABLE.i386, aarch64: SYSCALL_TABLE.arm } as const;

/** The name of a 64-bit system call; `syscall_999` when the kernel is newer than the table. */
export function syscallName(arch: Arch, nr: number): string {
  return nameIn(SYSCALL_TABLE[arch], nr);
}

/** The name of a 32-bit system call (i386 on x86_64, arm on aarch64): their numbers mean other calls. */
export function compatSyscallName(arch: Arch, nr: number): string {
  return nameIn(COMPAT[arch], nr);
}

/** Prefix for calls through the 32-bit entry point where both kinds are listed together. */
export const COMPAT_PREFIX = '32-bit ';

/** The name of a call of either kind. */
export function callName(arch: Arch, { nr, compat }: CallId): string {
  return compat ? COMPAT_PREFIX + compatSyscallName(arch, nr) : syscallName(arch, nr);
}

/** A tracer or a seccomp filter can set the number to −1, which skips the call: it is counted as skipped. */
function nameIn(table: Readonly<Record<number, string>>, nr: number): string {
  return table[nr] ?? (nr < 0 ? 'skipped' : `syscall_${nr}`);
}
