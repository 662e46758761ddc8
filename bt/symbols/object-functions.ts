import { EM_X86_64, fileOffsetToVaddr } from '../../parsers/elf.ts';
import type { FoundFunction, SymbolTable } from '../../parsers/symbol-table.ts';
import { tryRead } from '../driver/procfs.ts';
import type { ObjectSymbols } from './object-symbols.ts';

/** A function, and how far a place is from its start. */
export type FunctionOffset = FoundFunction & { readonly offset: number };

/** The function at an offset in an object's file. */
export function functionAt(object: ObjectSymbols, fileOffset: number): FunctionOffset | undefined {
  const vaddr = fileOffsetToVaddr(object.elf, fileOffset);
  if (vaddr === undefined) return undefined;
  const found = trampolineAfter(object.tables, vaddr) ?? nearest(object.tables, vaddr);
  return found && { ...found, offset: Math.max(0, vaddr - found.start) };
}

/** Where a signal handler returns to: glibc, musl, and the vDSO of aarch64. */
const TRAMPOLINES = ['__restore_rt', '__restore', '__kernel_rt_sigreturn'];

/**
 * A return address belongs to the call before it, so callers are looked up one byte before it. But the kernel makes a handler
 * return to the first byte of a trampoline, where no call was.
 */
function trampolineAfter(tables: readonly SymbolTable[], vaddr: number): FoundFunction | undefined {
  const next = nearest(tables, vaddr + 1);
  return next?.start === vaddr + 1 && TRAMPOLINES.includes(next.name) ? next : undefined;
}

/** Chooses between tables: one may lack a function and extend the previous one over it, so the nearest start wins. */
function nearest(tables: readonly SymbolTable[], vaddr: number): FoundFunction | undefined {
  return tables
    .flatMap((table) => table.find(vaddr) ?? [])
    .reduce<FoundFunction | undefined>((a, b) => (a && a.start >= b.start ? a : b), undefined);
}

/** Bytes at the start of a function that hold its prologue. */
const PROLOGUE = 48;

/** Tells whether a function surely does not set up a frame pointer: then its caller is missing in stacks. */
export function isFrameless(object: ObjectSymbols, fileOffset: number): boolean {
  const found = functionAt(object, fileOffset);
  if (object.elf.machine !== EM_X86_64 || !found) return false;
  const length = Math.min(PROLOGUE, found.size);
  const code = tryRead(() => object.source.read(fileOffset - found.offset, length));
  return code !== undefined && !setsFramePointer(code);
}

/** `push %rbp`, and soon after it `mov %rsp,%rbp`. */
function setsFramePointer(code: Buffer): boolean {
  const push = code.indexOf(0x55);
  return push >= 0 && (code.includes('4889e5', push, 'hex') || code.includes('488bec', push, 'hex'));
}
