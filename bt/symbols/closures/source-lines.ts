import { closeSync } from 'node:fs';
import { parseSourceLines, type SourceLine } from '../../../parsers/addr2line.ts';
import { runTool } from './tools.ts';

/** LLVM's is many times faster where there is much debug information. */
const TOOLS = [
  ['llvm-symbolizer', '--output-style=GNU', '--no-demangle', '-a', '-f', '-i', '--obj'],
  ['addr2line', '-a', '-f', '-i', '-e'],
];

/** Where debug information is: in a file of a name, or in one that is open, whose name may be gone. */
export type LineSource = { readonly path: string } | { readonly descriptor: number };

/**
 * Asks for all addresses of one object by one process.
 *
 * @param addresses as the file has them
 * @returns undefined when no tool knew any of them
 */
export function readSourceLines(
  source: LineSource,
  addresses: readonly number[],
): SourceLine[][] | undefined {
  const input = addresses.map((address) => `0x${address.toString(16)}\n`).join('');
  const descriptor = 'descriptor' in source ? source.descriptor : undefined;
  const file = 'path' in source ? source.path : '/proc/self/fd/3';
  try {
    for (const tool of TOOLS) {
      const output = runTool([...tool, file], { input, ...(descriptor === undefined ? {} : { descriptor }) });
      const lines = output && parseSourceLines(output.toString(), addresses);
      // LLVM's says of a file that it cannot read what it says of an address that it does not know.
      if (lines?.some((functions) => functions.length > 0)) return lines;
    }
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
