import { openSync, readFileSync } from 'node:fs';
import type { ByteSource } from '../../parsers/elf.ts';
import { tryRead } from '../driver/procfs.ts';
import { sourceOf } from './object-files.ts';

/** Where it is in this process; undefined without one. */
function ownVdso(): { start: number; end: number } | undefined {
  const maps = tryRead(() => readFileSync('/proc/self/maps', 'utf8')) ?? '';
  const row = /^([0-9a-f]+)-([0-9a-f]+) ..x.*\[vdso\]$/m.exec(maps);
  if (!row) return undefined;
  const [, start, end] = row as unknown as [string, string, string];
  return { start: Number.parseInt(start, 16), end: Number.parseInt(end, 16) };
}

/** Bytes that it takes; 0 without one. */
export function vdsoLength(): number {
  const own = ownVdso();
  return own ? own.end - own.start : 0;
}

/** The ELF file of the vDSO, which is the same for all processes that have as many bits as we, read from our own memory. */
export function vdsoSource(): ByteSource | undefined {
  const own = ownVdso();
  const memory = own && sourceOf(tryRead(() => openSync('/proc/self/mem', 'r')));
  return memory && { size: own.end - own.start, read: (at, length) => memory.read(own.start + at, length) };
}
