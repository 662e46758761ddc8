import { spawn } from 'node:child_process';
import { closeSync, realpathSync } from 'node:fs';
import { readElf } from '../../parsers/elf.ts';
import { BtprofError } from '../errors.ts';
import { openRegular, sourceOf } from '../symbols/object-files.ts';
import type { Entry } from '../tracking.ts';
import { tryRead } from './procfs.ts';

/** What may stand between quotes in a program of bpftrace without meaning anything else. */
const PLAIN = /^[\w./+,=@%~ -]+$/;
/** Scripts may be run by scripts; the kernel gives up after as many (BINPRM_MAX_RECURSION). */
const MOST_SCRIPTS = 5;
const LONGEST_LINE = 256;

/**
 * The first instruction of the program that a file is, or that runs it when it is a script.
 *
 * @throws BtprofError when it is none that bpftrace can be told of
 */
export function entryOf(executable: string): Entry {
  const path = programOf(executable);
  const read = readProgram(path);
  if ('interpreter' in read) throw cannot(executable, 'it is a script of a script');
  return entryAt(path, read.address);
}

/**
 * The program that a file is, or that runs it when it is a script.
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
  const descriptor = openRegular(path);
  const source = sourceOf(descriptor);
  if (descriptor === undefined || !source) throw cannot(path, 'it cannot be read');
  try {
    const line = tryRead(() => source.read(0, LONGEST_LINE))?.toString('latin1') ?? '';
    const interpreter = /^#![ \t]*([^ \t\n]+)/.exec(line)?.[1];
    if (interpreter) return { interpreter: tryRead(() => realpathSync.native(interpreter)) ?? interpreter };
    const elf = readElf(source);
    if ('problem' in elf) throw cannot(path, elf.problem);
    return { address: elf.entry };
  } finally {
    closeSync(descriptor);
  }
}

/** Seen from our root, wherever that of bpftrace is. */
function entryAt(path: string, address: number): Entry {
  if (!PLAIN.test(path)) throw cannot(path, 'its path has characters that bpftrace would misread');
  return { path: `/proc/${process.pid}/root${path}`, address };
}

function cannot(path: string, why: string): BtprofError {
  return new BtprofError(
    `--unwind dwarf cannot hold ${JSON.stringify(path)} at its entry: ${why}.`,
    'Leave --unwind out: stacks are unwound by frame pointers then.',
  );
}

/**
 * A process that lets another one go on when we die, whatever kills us, and ends when it is told that it can.
 *
 * @returns tells it
 */
export function resumeShouldWeDie(pid: number): () => void {
  // bpftrace takes a moment to notice that we are gone, and may stop the command in it.
  const again = 'for i in 1 2 3 4 5; do kill -CONT "$0" || exit; sleep 1; done';
  const args = ['-c', `read done || ${again}`, String(pid)];
  const guard = spawn('/bin/sh', args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  guard.on('error', () => undefined);
  guard.stdin.on('error', () => undefined);
  return () => guard.stdin.end('done\n');
}
