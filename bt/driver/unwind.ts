import { readFileSync } from 'node:fs';
import type { Facts } from '../../metrics/facts.ts';
import { type Mapping, parseMaps } from '../../parsers/proc.ts';
import type { Dialect } from '../dialect.ts';
import { BtprofError } from '../errors.ts';
import { newObjectFiles } from './object-files.ts';
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
  const able = unwindsDwarf(dialect, arch);
  if (unwinder === 'fp' || (unwinder === 'auto' && able !== 'yes')) return [];
  if (able === 'no') throw new BtprofError(`--unwind dwarf needs x86_64, and this is ${arch}.`, LEAVE_OUT);
  if (able === 'too old') {
    throw new BtprofError(
      `--unwind dwarf needs bpftrace 0.26 or newer, and this is ${dialect.version}.`,
      'Name a newer one with --bpftrace PATH, or leave --unwind out.',
    );
  }
  return unwinder === 'dwarf' ? pids : pids.filter(lacksFramePointers);
}

const LEAVE_OUT = 'Leave --unwind out: stacks are unwound by frame pointers then.';

/** Places in the code of each file that are looked at. */
const SAMPLES = 64;

/** Whether one of the files that a process runs is built without frame pointers. */
export function lacksFramePointers(pid: number): boolean {
  const files = newObjectFiles();
  const { frameless } = newUserSymbols(files);
  try {
    const text = tryRead(() => readFileSync(`/proc/${pid}/maps`, 'utf8')) ?? '';
    const mappings = parseMaps(text).filter((mapping) => mapping.path.startsWith('/'));
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
