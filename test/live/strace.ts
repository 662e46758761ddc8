import { readFileSync } from 'node:fs';
import { execa } from 'execa';
import { temporaryFile } from './btprof.ts';

/** The arguments that make strace count all calls of a command and its children, and write the counts to a file. */
export function straceCounting(): { args: string[]; read: () => Record<string, number> } {
  const file = temporaryFile('counts');
  return {
    args: ['-f', '-c', '-U', 'calls,name', '-o', file],
    read: () => readCounts(readFileSync(file, 'utf8')),
  };
}

/** Counts of one run under strace. */
export async function straceCounts(command: readonly string[], cwd = '.'): Promise<Record<string, number>> {
  const { args, read } = straceCounting();
  await execa('strace', [...args, ...command], { cwd, stdin: 'ignore', reject: false });
  return read();
}

/**
 * ```
 *     calls syscall
 * --------- ----------------
 *        23 mmap
 * --------- ----------------
 *       109 total
 * ```
 */
function readCounts(text: string): Record<string, number> {
  const rows = [...text.matchAll(/^\s*(\d+)\s+(\w+)$/gm)].filter((m) => m[2] !== 'total');
  return Object.fromEntries(rows.map((m) => [m[2] as string, Number(m[1])]));
}

/**
 * Differences between the two counts. strace counts the execve that starts the command; btprof follows the command only after
 * that call. strace does not count exit and exit_group, because they never return.
 */
export function asStraceCounts(
  counts: Readonly<Record<string, number>>,
  { firstExecve = 1 } = {},
): Record<string, number> {
  const { exit, exit_group, ...rest } = counts;
  return { ...rest, execve: (rest.execve ?? 0) + firstExecve };
}
