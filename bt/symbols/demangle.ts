import { runTool } from './tools.ts';

/** Prefix of mangled names: C++ (Itanium ABI) and both schemes of Rust. */
const MANGLED = /^_[ZR]/;
const TOOLS = ['c++filt', 'llvm-cxxfilt'];
/** Maximum number of names in memory. */
const MOST_NAMES = 100_000;

/**
 * Makes mangled names readable with the tool of binutils or LLVM: one process for all names.
 *
 * @returns only names that changed; none if neither tool is installed
 */
export type Demangle = (names: Iterable<string>) => Promise<ReadonlyMap<string, string>>;

/** A `Demangle` that remembers names: a live view asks for the same ones again and again. */
export function newDemangler(): Demangle {
  const known = new Map<string, string>();
  return async (names) => {
    const mangled = [...new Set(names)].filter((name) => MANGLED.test(name) && !name.includes('\n'));
    if (known.size > MOST_NAMES) known.clear();
    const fresh = await readableNames(mangled.filter((name) => !known.has(name)));
    for (const [name, readable] of fresh) known.set(name, readable);
    return new Map(
      mangled.flatMap((name) => {
        const readable = known.get(name) ?? name;
        return readable === name ? [] : [[name, readable] as const];
      }),
    );
  };
}

async function readableNames(mangled: readonly string[]): Promise<Map<string, string>> {
  if (mangled.length === 0) return new Map();
  for (const tool of TOOLS) {
    const output = await runTool([tool], { input: `${mangled.join('\n')}\n` });
    const lines = output?.toString().split('\n') ?? [];
    if (lines.length === mangled.length + 1)
      return new Map(mangled.map((name, i) => [name, withoutHash(name, lines[i] as string)]));
  }
  return new Map();
}

/** Rust names end in a hash (`::h0123456789abcdef`), or have one for each crate (`core[c1f1a4ba]`). */
function withoutHash(name: string, readable: string): string {
  return name.startsWith('_R')
    ? readable.replace(/(?<=\w)\[[0-9a-f]+\]/g, '')
    : readable.replace(/::h[0-9a-f]{16}(?=$|[ .])/, '');
}
