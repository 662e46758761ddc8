import { realpathSync } from 'node:fs';
import { execa } from 'execa';
import { BtprofError } from '../../metrics/errors.ts';
import { readElf } from '../../parsers/elf.ts';
import { readRegular } from '../symbols/plain-files.ts';
import type { EntryPoint } from '../tracking.ts';
import { tryRead } from './procfs.ts';

/** Paths that need no escape in a bpftrace program. */
const PLAIN = /^[\w./+,=@%~ -]+$/;
/** The interpreter of a script may be a script; the kernel's limit is the same (BINPRM_MAX_RECURSION). */
const MOST_SCRIPTS = 5;
const LONGEST_LINE = 256;

/**
 * Finds the first instruction of a program, or of the interpreter when the file is a script.
 *
 * @throws BtprofError when bpftrace cannot attach there
 */
export function entryOf(executable: string): EntryPoint {
  const path = programOf(executable);
  const read = readProgram(path);
  if ('interpreter' in read) throw cannot(executable, 'it is a script of a script');
  return entryAt(path, read.address);
}

/**
 * Finds the program itself, or its interpreter if it is a script.
 *
 * @throws BtprofError when it cannot be read
 */
function programOf(executable: string): string {
  let path = executable;
  for (let scripts = 0; scripts < MOST_SCRIPTS; scripts++) {
    const read = readProgram(path);
    if ('address' in read) break;
    path = read.interpreter;
  }
  return path;
}

function readProgram(path: string): { address: number } | { interpreter: string } {
  const read = readRegular(path, (source) => {
    const line = tryRead(() => source.read(0, LONGEST_LINE))?.toString('latin1') ?? '';
    const interpreter = /^#![ \t]*([^ \t\n]+)/.exec(line)?.[1];
    if (interpreter) return { interpreter: tryRead(() => realpathSync.native(interpreter)) ?? interpreter };
    const elf = readElf(source);
    if ('problem' in elf) throw cannot(path, elf.problem);
    return { address: elf.entry };
  });
  if (!read) throw cannot(path, 'it cannot be read');
  return read;
}

/** Makes an entry with a path from btprof's own root, whatever root bpftrace has. */
function entryAt(path: string, address: number): EntryPoint {
  if (!PLAIN.test(path)) throw cannot(path, 'its path has characters that bpftrace would misread');
  return { path: `/proc/${process.pid}/root${path}`, address };
}

function cannot(path: string, why: string): BtprofError {
  return new BtprofError(
    `--unwind dwarf cannot hold ${JSON.stringify(path)} at its entry: ${why}.`,
    'Without --unwind, stacks are unwound by frame pointers.',
  );
}

/**
 * Starts a process that resumes another one when btprof dies, even by SIGKILL.
 *
 * @returns a function that ends the guard
 */
export function spawnResumeGuard(pid: number): () => void {
  // bpftrace takes a moment to notice that btprof is gone, and may still stop the command.
  const resume = 'for i in 1 2 3 4 5; do kill -CONT "$0" || exit; sleep 1; done';
  const args = ['-c', `read done || ${resume}`, String(pid)];
  const { stdin } = execa('/bin/sh', args, {
    ...{ stdin: 'pipe', stdout: 'ignore', stderr: 'ignore', detached: true },
    ...{ buffer: false, cleanup: false, reject: false, cwd: '/' },
  });
  stdin.on('error', () => undefined); // it may have ended
  return () => stdin.end('done\n');
}
