import { runTool } from './tools.ts';

/** Itanium C++ and the two of Rust begin so. */
const MANGLED = /^_[ZR]/;
const TOOLS = ['c++filt', 'llvm-cxxfilt'];

/**
 * Readable names by binutils' or LLVM's own tool: one process for all.
 *
 * @returns none where neither is installed
 */
export function demangle(names: readonly string[]): ReadonlyMap<string, string> {
  const mangled = names.filter((name) => MANGLED.test(name) && !name.includes('\n'));
  if (mangled.length === 0) return new Map();
  for (const tool of TOOLS) {
    const lines =
      runTool([tool], { input: `${mangled.join('\n')}\n` })
        ?.toString()
        .split('\n') ?? [];
    if (lines.length === mangled.length + 1)
      return new Map(mangled.map((name, i) => [name, withoutHash(name, lines[i] as string)]));
  }
  return new Map();
}

/** Rust ends names in a hash (`::h0123456789abcdef`) and, as it mangles now, has one for each crate (`core[c1f1a4ba]`). */
function withoutHash(name: string, readable: string): string {
  return name.startsWith('_R')
    ? readable.replace(/(?<=\w)\[[0-9a-f]+\]/g, '')
    : readable.replace(/::h[0-9a-f]{16}(?=$|[ .])/, '');
}
