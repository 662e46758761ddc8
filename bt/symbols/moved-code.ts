import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Mapping } from '../../parsers/proc.ts';
import { tryRead } from '../driver/procfs.ts';
import type { ObjectFiles } from './object-files.ts';

/** Bytes that are compared at the start, in the middle and at the end. */
const SAMPLE = 4096;
/** A process can make reads of its memory wait (userfaultfd(2)). */
const PATIENCE_MS = 500;

/**
 * Some programs move their code to huge pages when they start: they copy it to anonymous memory at the same addresses. Its
 * functions are still those of the file.
 *
 * @param memory a mapping without a file
 * @param before the mapping of a file that was at its addresses
 * @returns the part of that file, if the memory holds the same code
 */
export type FindMovedCode = (pid: number, memory: Mapping, before: Mapping) => Promise<Mapping | undefined>;

/** Makes a `FindMovedCode` that finds nothing more once a process has not answered in time. */
export function newMovedCode(files: ObjectFiles): FindMovedCode {
  let isStuck = false;
  const isSame = async (pid: number, address: number, ofFile: Buffer): Promise<boolean> => {
    if (isStuck) return false;
    const reading = readMemory(pid, address, ofFile.length);
    const inMemory = await Promise.race([reading, sleep(PATIENCE_MS, 'late' as const, { ref: false })]);
    isStuck = inMemory === 'late';
    return inMemory instanceof Buffer && inMemory.equals(ofFile) && inMemory.some((byte) => byte !== 0);
  };
  return async (pid, memory, before) => {
    const source = files.source(before.file);
    const shift = before.fileOffset - before.start;
    for (const at of samplesOf(memory)) {
      const length = Math.min(SAMPLE, Number(memory.end - at));
      const ofFile = source && tryRead(() => source.read(Number(at + shift), length));
      if (!ofFile || !(await isSame(pid, Number(at), ofFile))) return undefined;
    }
    const { start, end } = memory;
    return { start, end, fileOffset: start + shift, file: before.file, path: before.path };
  };
}

function samplesOf({ start, end }: Mapping): bigint[] {
  const pages = (end - start) / BigInt(SAMPLE);
  const wanted = [0n, pages / 2n, pages - 1n].filter((page) => page >= 0n);
  return [...new Set(wanted)].map((page) => start + page * BigInt(SAMPLE));
}

/** Undefined if the process has ended, or unmapped the memory. */
async function readMemory(pid: number, address: number, length: number): Promise<Buffer | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await open(`/proc/${pid}/mem`);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, address);
    return buffer.subarray(0, bytesRead);
  } catch {
    return undefined;
  } finally {
    await file?.close();
  }
}
