import { closeSync } from 'node:fs';
import { parseSourceLines, type SourceLine } from '../../parsers/addr2line.ts';
import { runTool } from './tools.ts';

/** LLVM's tool comes first because it is many times faster with large debug information. */
const TOOLS = [
  ['llvm-symbolizer', '--output-style=GNU', '--no-demangle', '-a', '-f', '-i', '--obj'],
  ['addr2line', '-a', '-f', '-i', '-e'],
];

/** Where the debug information is: a path, or an open file, whose path may be gone. */
export type LineSource = { readonly path: string } | { readonly descriptor: number };

/**
 * Looks up all addresses of an object with one process. Closes the descriptor.
 *
 * @param addresses as the file has them
 * @returns undefined if no tool found the line of any of them
 */
export async function readSourceLines(
  source: LineSource,
  addresses: readonly number[],
): Promise<SourceLine[][] | undefined> {
  const input = addresses.map((address) => `0x${address.toString(16)}\n`).join('');
  const descriptor = 'descriptor' in source ? source.descriptor : undefined;
  const file = 'path' in source ? source.path : '/proc/self/fd/3';
  try {
    for (const tool of TOOLS) {
      const passed = descriptor === undefined ? {} : { descriptor };
      const output = await runTool([...tool, file], { input, ...passed });
      const lines = output && parseSourceLines(output.toString(), addresses);
      // Of debug information that a tool cannot read, such as sections packed by zstd, it prints only names of functions.
      if (lines?.some((functions) => functions.some(({ file }) => file !== null))) return lines;
    }
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
