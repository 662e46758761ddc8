import type { CallId } from '../bt/profilers/syscall-times.ts';
import type { Facts } from './facts.ts';
import { SYSCALL_TABLE } from './syscall-table.ts';

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

/** What stands before the name of a call through the 32-bit entry, where the two kinds are side by side. */
export const COMPAT_PREFIX = '32-bit ';

/** The name of a call of either kind. */
export function callName(arch: Arch, { nr, compat }: CallId): string {
  return compat ? COMPAT_PREFIX + compatSyscallName(arch, nr) : syscallName(arch, nr);
}

/** Names of the calls that waits were within, when that is known. */
export function callNames({
  syscallTimes,
  host: { arch },
}: Pick<Facts, 'syscallTimes' | 'host'>): ((call: CallId) => string) | undefined {
  return syscallTimes ? (call) => callName(arch, call) : undefined;
}

/** A tracer or a seccomp filter can set the number to −1, which skips the call: it is counted as skipped. */
function nameIn(table: Readonly<Record<number, string>>, nr: number): string {
  return table[nr] ?? (nr < 0 ? 'skipped' : `syscall_${nr}`);
}
