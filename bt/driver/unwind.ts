import { closeSync, fstatSync, readFileSync } from 'node:fs';
import type { Facts } from '../../metrics/facts.ts';
import { readElf } from '../../parsers/elf.ts';
import { type Mapping, parseMaps } from '../../parsers/proc.ts';
import type { Dialect } from '../dialect.ts';
import { BtprofError } from '../errors.ts';
import { newObjectFiles, openRegular, sourceOf } from './object-files.ts';
import { tryRead } from './procfs.ts';
import { newUserSymbols } from './user-symbols.ts';

/** How user stacks are unwound: by frame pointers, by DWARF, or by DWARF where frame pointers are missing. */
export const UNWINDERS = ['fp', 'dwarf', 'auto'] as const;
export type Unwinder = (typeof UNWINDERS)[number];

/** Whether user stacks can be unwound by DWARF. */
export function unwindsDwarf(dialect: Dialect, arch: string): Facts['unwindsDwarf'] {
  if (arch !== 'x86_64') return 'no';
  return dialect.unwindsDwarf ? 'yes' : 'too old';
}

/**
 * Which of the processes, that run already, are to be unwound by DWARF.
 *
 * @throws BtprofError when DWARF is asked for and not there
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

/**
 * Whether a program that is to be started is to be unwound by DWARF. Its libraries are not known yet.
 *
 * @throws BtprofError when DWARF is asked for and not there
 */
export function unwindsProgram(unwinder: Unwinder, path: string, dialect: Dialect, arch: string): boolean {
  return isAble(unwinder, dialect, arch) && (unwinder === 'dwarf' || programLacksFramePointers(path));
}

/** @throws BtprofError when DWARF is asked for and not there */
function isAble(unwinder: Unwinder, dialect: Dialect, arch: string): boolean {
  const able = unwindsDwarf(dialect, arch);
  if (able === 'yes' || unwinder !== 'dwarf') return unwinder !== 'fp' && able === 'yes';
  if (able === 'no') throw new BtprofError(`--unwind dwarf needs x86_64, and this is ${arch}.`, LEAVE_OUT);
  throw new BtprofError(
    `--unwind dwarf needs bpftrace 0.26 or newer, and this is ${dialect.version}.`,
    'Name a newer one with --bpftrace PATH, or leave --unwind out.',
  );
}

const LEAVE_OUT = 'Leave --unwind out: stacks are unwound by frame pointers then.';

/** Places in the code of each file that are looked at. */
const SAMPLES = 64;

/** Whether one of the files that a process runs is built without frame pointers. */
export function lacksFramePointers(pid: number): boolean {
  const text = tryRead(() => readFileSync(`/proc/${pid}/maps`, 'utf8')) ?? '';
  return someLackFramePointers(
    parseMaps(text).filter((mapping) => mapping.path.startsWith('/')),
    pid,
  );
}

function programLacksFramePointers(path: string): boolean {
  const descriptor = openRegular(path);
  const source = sourceOf(descriptor);
  const elf = source && readElf(source);
  const file = descriptor === undefined ? '' : `00:00 ${fstatSync(descriptor).ino}`;
  if (descriptor !== undefined) closeSync(descriptor);
  if (!elf || 'problem' in elf) return false;
  const code = elf.segments.filter((segment) => segment.executable);
  return someLackFramePointers(
    code.map(({ vaddr, fileOffset, fileSize }) => {
      const start = BigInt(vaddr);
      return { start, end: start + BigInt(fileSize), fileOffset: BigInt(fileOffset), file, path };
    }),
    process.pid,
  );
}

/** @param pid a process whose root has the files */
function someLackFramePointers(mappings: readonly Mapping[], pid: number): boolean {
  const files = newObjectFiles();
  const { frameless } = newUserSymbols(files);
  try {
    for (const { file, path } of mappings) files.see(file, { pid, path });
    return mappings.some((mapping) => {
      const without = samplesOf(mapping).filter((offset) => frameless(mapping, offset));
      return without.length > SAMPLES / 2;
    });
  } finally {
    files.close();
  }
}

function samplesOf({ start, end, fileOffset }: Mapping): number[] {
  const step = Number(end - start) / SAMPLES;
  return Array.from({ length: SAMPLES }, (_, i) => Number(fileOffset) + Math.floor(i * step));
}
