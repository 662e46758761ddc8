import { readFileSync } from 'node:fs';
import { BtprofError } from '../../metrics/errors.ts';
import type { Facts } from '../../metrics/facts.ts';
import { EM_X86_64, readElf } from '../../parsers/elf.ts';
import type { ByteSource, ElfFile } from '../../parsers/elf-types.ts';
import { parseMaps } from '../../parsers/proc.ts';
import type { Dialect } from '../dialect.ts';
import { newObjectFiles } from '../symbols/object-files.ts';
import type { EntryPoint } from '../tracking.ts';
import type { Unwinder } from '../unwinder.ts';
import { entryOf } from './entry.ts';
import { tryRead } from './procfs.ts';

/** Whether bpftrace can unwind user stacks by DWARF here. */
export function unwindsDwarf(dialect: Dialect, arch: string): Facts['unwindsDwarf'] {
  if (arch !== 'x86_64') return 'no';
  return dialect.unwindsDwarf ? 'yes' : 'too old';
}

/**
 * The running processes whose stacks are unwound by DWARF.
 *
 * @throws BtprofError when DWARF is asked for but not available
 */
export function dwarfPids(
  unwinder: Unwinder,
  pids: readonly number[],
  dialect: Dialect,
  arch: string,
): readonly number[] {
  if (pids.length === 0 || !isAble(unwinder, dialect, arch)) return [];
  return unwinder === 'dwarf' ? pids : pids.filter(lacksFramePointers);
}

/** Where a command is stopped: after its libraries are loaded, before its own code runs. */
export interface StopAtEntry {
  readonly entry: EntryPoint;
  /** Whether it needs to be unwound by DWARF; called once it is stopped. */
  readonly isNeeded: (pid: number) => boolean;
}

/**
 * Finds where to stop a program so that its stacks can be unwound by DWARF.
 *
 * @throws BtprofError when DWARF is asked for but not available
 */
export function dwarfStop(
  unwinder: Unwinder,
  executable: string,
  dialect: Dialect,
  arch: string,
): StopAtEntry | undefined {
  if (!isAble(unwinder, dialect, arch)) return undefined;
  if (unwinder === 'dwarf') return { entry: entryOf(executable), isNeeded: () => true };
  const entry = tryRead(() => entryOf(executable));
  return entry && { entry, isNeeded: lacksFramePointers };
}

/** @throws BtprofError when DWARF is asked for but not available */
function isAble(unwinder: Unwinder, dialect: Dialect, arch: string): boolean {
  const able = unwindsDwarf(dialect, arch);
  if (able === 'yes' || unwinder !== 'dwarf') return unwinder !== 'fp' && able === 'yes';
  if (able === 'no') throw new BtprofError(`--unwind dwarf needs x86_64, and this is ${arch}.`, WITHOUT);
  throw new BtprofError(
    `--unwind dwarf needs bpftrace 0.26 or newer, and this is ${dialect.version}.`,
    'Give a newer one with --bpftrace PATH, or leave out --unwind.',
  );
}

const WITHOUT = 'Without --unwind, stacks are unwound by frame pointers.';

/** Whether code that a process has mapped is built without frame pointers. */
export function lacksFramePointers(pid: number): boolean {
  const files = newObjectFiles();
  try {
    const text = tryRead(() => readFileSync(`/proc/${pid}/maps`, 'utf8')) ?? '';
    const mapped = parseMaps(text).filter((mapping) => mapping.path.startsWith('/'));
    return mapped.some(({ file, path }) =>
      codeLacksFramePointers(files.source(files.see(file, { pid, path }))),
    );
  } finally {
    files.close();
  }
}

/** Files with fewer functions are ignored. */
const FEW = 16;
const LARGEST_CODE = 2 ** 26;
/** `push %rbp; mov %rsp,%rbp` */
const FRAME = Buffer.from('554889e5', 'hex');

/** Tells whether fewer than half of the functions with unwind tables set up a frame pointer. */
function codeLacksFramePointers(source: ByteSource | undefined): boolean {
  const elf = source && readElf(source);
  if (!elf || 'problem' in elf || elf.machine !== EM_X86_64) return false;
  const functions = unwindEntries(source, elf);
  const frames = elf.segments
    .filter((segment) => segment.executable)
    .map(({ fileOffset, fileSize }) =>
      tryRead(() => source.read(fileOffset, Math.min(fileSize, LARGEST_CODE))),
    )
    .reduce((sum, code) => sum + (code ? occurrences(code, FRAME) : 0), 0);
  return functions >= FEW && frames < functions / 2;
}

/** Counts the functions in `.eh_frame` (Linux Standard Base, "The .eh_frame section"): all its entries except the CIEs. */
function unwindEntries(source: ByteSource, elf: ElfFile): number {
  const section = elf.section('.eh_frame');
  const bytes = section && tryRead(() => source.read(section.offset, Math.min(section.size, LARGEST_CODE)));
  if (!bytes) return 0;
  let count = 0;
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    if (length === 0 || length === 0xffff_ffff) break;
    if (bytes.readUInt32LE(at + 4) !== 0) count++;
    at += 4 + length;
  }
  return count;
}

function occurrences(code: Buffer, pattern: Buffer): number {
  let count = 0;
  for (let at = code.indexOf(pattern); at >= 0; at = code.indexOf(pattern, at + 1)) count++;
  return count;
}
