import { EM_AARCH64, EM_X86_64 } from './elf.ts';
import { sectionBytes } from './elf-bytes.ts';
import type { ByteSource, ElfFile } from './elf-types.ts';

/** An entry of the procedure linkage table. */
export interface PltJump {
  readonly start: number;
  readonly end: number;
  /** Address of the slot that holds the address of the function. */
  readonly slot: number;
}

/** 65,536 entries; the largest libraries have some thousands. */
const LARGEST_PLT = 2 ** 20;
const SHT_NOBITS = 8;

/**
 * Finds the entries of .plt and, where a linker makes them, of .plt.sec (for Intel's CET), .plt.got and .iplt, by the
 * instructions of x86_64 and AArch64. The first entry of .plt, which calls the dynamic linker, is not among them. Of a
 * 32-bit program it finds none.
 */
export function readPltJumps(source: ByteSource, elf: ElfFile, problems: string[]): PltJump[] {
  const entry = entryOf(elf);
  if (!entry) return [];
  return ['.plt', '.plt.sec', '.plt.got', '.iplt'].flatMap((name) => {
    const section = elf.section(name);
    if (!section || section.type === SHT_NOBITS || !Number.isSafeInteger(section.addr)) return [];
    const code = sectionBytes(source, section, LARGEST_PLT);
    if ('problem' in code) problems.push(`${name}: ${code.problem}`);
    else if (code.length < section.size)
      problems.push(`${name}: only its first ${code.length} bytes are read`);
    return 'problem' in code ? [] : jumpsIn(code, section.addr, entry);
  });
}

/** Describes the entries of an architecture; sizes in bytes. */
interface Entry {
  readonly align: number;
  readonly shortest: number;
  readonly longest: number;
  /** Reads the slot of the entry at an offset of the code; `vaddr` is the address of that offset. */
  readonly slotAt: (code: Buffer, at: number, vaddr: number) => number | undefined;
}

function entryOf(elf: ElfFile): Entry | undefined {
  if (!elf.wide) return undefined;
  if (elf.machine === EM_X86_64) return { align: 8, shortest: 8, longest: 16, slotAt: slotX86_64 };
  if (elf.machine === EM_AARCH64) return { align: 4, shortest: 16, longest: 24, slotAt: slotAarch64 };
  return undefined;
}

function jumpsIn(code: Buffer, addr: number, { align, shortest, longest, slotAt }: Entry): PltJump[] {
  const found: { at: number; slot: number }[] = [];
  for (let at = 0; at + shortest <= code.length; ) {
    const slot = slotAt(code, at, addr + at);
    if (slot !== undefined) found.push({ at, slot });
    at += slot === undefined ? align : shortest;
  }
  return found.map(({ at, slot }, index) => {
    const next = found[index + 1]?.at ?? code.length;
    return { start: addr + at, end: addr + Math.min(at + longest, next), slot };
  });
}

/**
 * ```
 * f3 0f 1e fa             endbr64             only for CET
 * f2                      bnd                 only with old CET
 * ff 25 xx xx xx xx       jmp *slot(%rip)
 * ```
 */
function slotX86_64(code: Buffer, at: number, vaddr: number): number | undefined {
  const jump = skipLandingPad(code, at);
  if (code[jump] !== 0xff || code[jump + 1] !== 0x25 || jump + 6 > code.length) return undefined;
  return vaddr + (jump - at) + 6 + code.readInt32LE(jump + 2);
}

/** Skips `endbr64` and `bnd`. */
function skipLandingPad(code: Buffer, at: number): number {
  const pad = code[at] === 0xf3 && code[at + 1] === 0x0f && code[at + 2] === 0x1e;
  const next = pad ? at + 4 : at;
  return code[next] === 0xf2 ? next + 1 : next;
}

/**
 * ```
 * d503245f    bti  c                   only with branch targets
 * 90000010    adrp x16, page
 * f9400211    ldr  x17, [x16, offset]
 * ```
 */
function slotAarch64(code: Buffer, at: number, vaddr: number): number | undefined {
  const from = code.readUInt32LE(at) === 0xd503245f ? at + 4 : at;
  const [adrp, ldr] = [code.readUInt32LE(from), code.readUInt32LE(from + 4)];
  if ((adrp & 0x9f00001f) >>> 0 !== 0x90000010 || (ldr & 0xffc003ff) >>> 0 !== 0xf9400211) return undefined;
  const pages = ((((adrp >>> 5) & 0x7ffff) << 13) | (((adrp >>> 29) & 3) << 11)) >> 11;
  const page = Math.floor((vaddr + from - at) / 4096) + pages;
  return page * 4096 + ((ldr >>> 10) & 0xfff) * 8;
}
