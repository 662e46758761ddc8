import { execFileSync } from 'node:child_process';
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { readElf } from '../../../parsers/elf.ts';
import type { ByteSource, ElfFile } from '../../../parsers/elf-types.ts';

/** A source that counts how much of it was read. */
export interface MeteredSource extends ByteSource {
  readonly reads: { count: number; bytes: number };
}

export function memorySource(bytes: Buffer): MeteredSource {
  const reads = { count: 0, bytes: 0 };
  const read = (offset: number, length: number) => {
    reads.count++;
    reads.bytes += length;
    return bytes.subarray(offset, offset + length);
  };
  return { size: bytes.length, read, reads };
}

/** Opens a file, and closes it when the test ends. */
export function fileSource(path: string): MeteredSource {
  const fd = openSync(path, 'r');
  onTestFinished(() => closeSync(fd));
  const reads = { count: 0, bytes: 0 };
  const read = (offset: number, length: number) => {
    const bytes = Buffer.allocUnsafeSlow(length);
    const got = readSync(fd, bytes, 0, length, offset);
    reads.count++;
    reads.bytes += got;
    return bytes.subarray(0, got);
  };
  return { size: fstatSync(fd).size, read, reads };
}

/** @throws Error with the reported problem */
export function elfOf(source: ByteSource): ElfFile {
  const elf = readElf(source);
  if ('problem' in elf) throw new Error(elf.problem);
  return elf;
}

/** The output of a program. */
export function output(command: string, args: readonly string[], input = ''): string {
  return execFileSync(command, args, {
    input,
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
}

/** A directory that is removed when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'btprof-elf-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Compiles a program in a temporary directory and returns its path. */
export function compile(
  text: string,
  args: readonly string[] = [],
  { compiler = 'gcc', suffix = 'c' }: { compiler?: string; suffix?: string } = {},
): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, `program.${suffix}`), text);
  output(compiler, ['-o', join(folder, 'program'), join(folder, `program.${suffix}`), ...args]);
  return join(folder, 'program');
}

/** The path of a library that a program is linked with. */
export function library(program: string, name: string): string {
  const path = new RegExp(`${name}[^ ]* => (\\S+)`).exec(output('ldd', [program]))?.[1];
  if (!path) throw new Error(`${program} is not linked with ${name}`);
  return path;
}
