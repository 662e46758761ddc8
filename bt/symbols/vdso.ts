import { openSync, readFileSync } from 'node:fs';
import { VDSO } from '../../metrics/symbols.ts';
import type { ByteSource } from '../../parsers/elf-types.ts';
import { parseMaps } from '../../parsers/proc.ts';
import { tryRead } from '../driver/procfs.ts';
import { sourceOf } from './plain-files.ts';

interface Range {
  readonly start: number;
  readonly end: number;
}

let found: Range | null | undefined;

/** Where it is in this process, looked up once: it does not move. Undefined without one. */
function ownVdso(): Range | undefined {
  if (found !== undefined) return found ?? undefined;
  const maps = tryRead(() => readFileSync('/proc/self/maps', 'utf8')) ?? '';
  const own = parseMaps(maps).find(({ path }) => path === VDSO);
  found = own ? { start: Number(own.start), end: Number(own.end) } : null;
  return found ?? undefined;
}

/** Its length in memory; 0 without one. */
export function vdsoLength(): number {
  const own = ownVdso();
  return own ? own.end - own.start : 0;
}

/** The ELF file of the vDSO, from our own memory: all 64-bit processes have the same one. */
export function vdsoSource(): ByteSource | undefined {
  const own = ownVdso();
  memory ??= own && tryRead(() => sourceOf(openSync('/proc/self/mem', 'r')));
  const { read } = memory ?? {};
  return own && read && { size: own.end - own.start, read: (at, length) => read(own.start + at, length) };
}

/** Our own memory, opened once. */
let memory: ByteSource | undefined;
