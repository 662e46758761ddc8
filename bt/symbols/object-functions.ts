import { EM_AARCH64, EM_X86_64, fileOffsetToVaddr } from '../../parsers/elf.ts';
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

/**
 * Tells whether a word of a stack that points to the byte after this place is no return address: a function begins there, and
 * the instruction before it is no call. A call of a function that never returns may be the last instruction of its caller.
 */
export function isUncalled(object: ObjectSymbols, fileOffset: number): boolean {
  const isCall = CALLS[object.elf.machine];
  const vaddr = fileOffsetToVaddr(object.elf, fileOffset);
  if (!isCall || vaddr === undefined || trampolineAfter(object.tables, vaddr)) return false;
  if (nearest(object.tables, vaddr + 1)?.start !== vaddr + 1) return false;
  const length = Math.min(LONGEST_CALL, fileOffset + 1);
  const before = tryRead(() => object.source.read(fileOffset + 1 - length, length));
  return before?.length === LONGEST_CALL && !isCall(before);
}

const LONGEST_CALL = 7;

/** Whether the last instruction of some code is a call, by machine. */
const CALLS: Readonly<Record<number, (code: Buffer) => boolean>> = {
  [EM_X86_64]: (code) => code.at(-5) === 0xe8 || isIndirectCall(code),
  [EM_AARCH64]: (code) => {
    const word = code.readUInt32LE(code.length - 4);
    return word >>> 26 === 0x25 || (word & 0xfefff000) >>> 0 === 0xd63f0000; // bl; blr and its forms with authentication
  },
};

/** `ff /2`: a call of the address in a register or in memory. */
function isIndirectCall(code: Buffer): boolean {
  for (let length = 2; length <= LONGEST_CALL; length++) {
    const [opcode, form = 0, index = 0] = code.subarray(code.length - length);
    if (opcode === 0xff && ((form >> 3) & 7) === 2 && lengthOf(form, index) === length) return true;
  }
  return false;
}

/** Length of an instruction with one byte of opcode, by its ModR/M and SIB bytes. */
function lengthOf(form: number, index: number): number {
  const [mode, register] = [form >> 6, form & 7];
  if (mode === 3) return 2;
  const hasIndex = register === 4;
  const isAbsolute = mode === 0 && (register === 5 || (hasIndex && (index & 7) === 5));
  return 2 + (hasIndex ? 1 : 0) + (mode === 1 ? 1 : mode === 2 || isAbsolute ? 4 : 0);
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
