import { EM_AARCH64, EM_X86_64, fileOffsetToVaddr } from '../../parsers/elf.ts';
import type { FoundFunction, SymbolTable } from '../../parsers/symbol-table.ts';
import { tryRead } from '../driver/procfs.ts';
import type { ObjectSymbols } from './object-symbols.ts';

/** A function, and how far a place is from its start. */
export type FunctionOffset = FoundFunction & { readonly offset: number };

/** What is known of a place in the code of an object's file. */
export interface CodePlace {
  readonly function?: FunctionOffset | undefined;
  /**
   * Whether a word of a stack that points to the byte after this place is no return address: a function begins there, and the
   * instruction before it is no call. A call of a function that never returns may be the last instruction of its caller.
   */
  readonly isUncalled: boolean;
}

/** Looks up a place by its offset in an object's file. */
export function codePlaceAt(object: ObjectSymbols, fileOffset: number): CodePlace {
  const vaddr = fileOffsetToVaddr(object.elf, fileOffset);
  if (vaddr === undefined) return { isUncalled: false };
  const here = nearest(object.tables, vaddr);
  const isLast = !here || vaddr + 1 >= here.start + here.size;
  const next = isLast ? nearest(object.tables, vaddr + 1) : undefined;
  const isBefore = next?.start === vaddr + 1;
  // A return address belongs to the call before it, so callers are looked up one byte before it. But the kernel makes a
  // handler return to the first byte of a trampoline, where no call was.
  if (isBefore && TRAMPOLINES.includes(next.name))
    return { function: { ...next, offset: 0 }, isUncalled: false };
  return {
    function: here && { ...here, offset: vaddr - here.start },
    isUncalled: isBefore && !mayEndInCall(object, fileOffset + 1),
  };
}

/** Where a signal handler returns to: glibc, musl, and the vDSO of aarch64. */
const TRAMPOLINES = ['__restore_rt', '__restore', '__kernel_rt_sigreturn'];

/** Chooses between tables: one may lack a function and extend the previous one over it, so the nearest start wins. */
function nearest(tables: readonly SymbolTable[], vaddr: number): FoundFunction | undefined {
  let best: FoundFunction | undefined;
  for (const table of tables) {
    const found = table.find(vaddr);
    if (found && !(best && best.start >= found.start)) best = found;
  }
  return best;
}

/** Whether the code before an offset of the file may end in a call. */
function mayEndInCall({ elf, source }: ObjectSymbols, fileOffset: number): boolean {
  const isCall = CALLS[elf.machine];
  if (!isCall || fileOffset < LONGEST_CALL) return true;
  const before = tryRead(() => source.read(fileOffset - LONGEST_CALL, LONGEST_CALL));
  return before?.length !== LONGEST_CALL || isCall(before);
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
  const { function: found } = codePlaceAt(object, fileOffset);
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
