import { execaSync } from 'execa';

/** Itanium C++ and the two of Rust begin so. */
const MANGLED = /^_[ZR]/;
const TOOLS = ['c++filt', 'llvm-cxxfilt'];
const DEMANGLE_MS = 10_000;

/**
 * Readable names by binutils' or LLVM's own tool: one process for all.
 *
 * @returns none where neither is installed
 */
export function demangle(names: readonly string[]): ReadonlyMap<string, string> {
  const mangled = names.filter((name) => MANGLED.test(name) && !name.includes('\n'));
  if (mangled.length === 0) return new Map();
  for (const tool of TOOLS) {
    const input = `${mangled.join('\n')}\n`;
    const done = execaSync(tool, [], { input, reject: false, timeout: DEMANGLE_MS, stripFinalNewline: true });
    const lines = done.failed ? [] : done.stdout.split('\n');
    if (lines.length === mangled.length) return new Map(mangled.map((name, i) => [name, lines[i] as string]));
  }
  return new Map();
}
