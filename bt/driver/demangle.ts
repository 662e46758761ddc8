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
      return new Map(mangled.map((name, i) => [name, lines[i] as string]));
  }
  return new Map();
}
