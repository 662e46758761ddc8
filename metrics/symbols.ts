import type { SourceLine } from '../parsers/addr2line.ts';
import type { KernelPlace } from '../parsers/kernel-symbols.ts';
import type { Mapping } from '../parsers/proc.ts';

/** A place in a function of user code. */
export interface UserPlace {
  /** As the file has it: C++ and Rust names are mangled. */
  readonly symbol: string;
  /** Bytes from the start of the function. */
  readonly offset: number;
}

/** A place in a function that a runtime compiled. */
export interface JitPlace extends UserPlace {
  /** What its name was read from. */
  readonly module: string;
}

/** An address as its file has it. */
export interface FilePlace {
  readonly mapping: Mapping;
  /** The address as an offset of the mapping's file. */
  readonly fileOffset: number;
}

/** An address outside mapped files, where a runtime may have compiled code. */
export interface CompiledPlace {
  readonly pid: number;
  readonly generation: number;
  readonly address: bigint;
}

/** What has to be looked up for one profile or one interval: plain data, each thing once. */
export interface SymbolRequests {
  /** Addresses of kernel code, hexadecimal digits. */
  readonly kernel: readonly string[];
  /** Places in mapped files and in the vDSO. */
  readonly user: readonly FilePlace[];
  /** Those of `user` that are the innermost frame of a stack: does the function there set up a frame pointer? */
  readonly leaves: readonly FilePlace[];
  readonly compiled: readonly CompiledPlace[];
  /** Whether file, line and inlined functions of every place in `user` are wanted. */
  readonly lines: boolean;
}

/** Looks all of them up at once. */
export type Resolve = (requests: SymbolRequests) => Promise<ResolvedSymbols>;

/** Names for addresses, wherever they come from: this machine, or a run that was kept. */
export interface Symbols {
  /** @param address hexadecimal digits */
  readonly kernel: (address: string) => KernelPlace | undefined;
  /**
   * @param mapping what the address lies in
   * @param fileOffset the address as an offset of the mapping's file
   */
  readonly user: (mapping: Mapping, fileOffset: number) => UserPlace | undefined;
  /**
   * Whether the function there is known to keep no frame pointer: then the stack of a thread in it lacks its caller.
   */
  readonly frameless: (mapping: Mapping, fileOffset: number) => boolean;
  /** GNU build ID of the file that is mapped, hexadecimal. */
  readonly buildId: (mapping: Mapping) => string | undefined;
  /**
   * Code that a runtime compiled while it ran.
   *
   * @param address within the process
   */
  readonly jit: (pid: number, generation: number, address: bigint) => JitPlace | undefined;
  /** Readable names of those that are mangled. */
  readonly demangle: (names: readonly string[]) => ReadonlyMap<string, string>;
  /**
   * Lines of the source, in the order of the places: the innermost function first, where calls were inlined; none where
   * nothing is known. Undefined when lines are not asked for.
   */
  readonly lines: ((places: readonly FilePlace[]) => readonly (readonly SourceLine[])[]) | undefined;
  /** What could not be read, as far as it was asked for: a sentence each. */
  readonly problems: () => readonly string[];
}

/** The answers: plain data, which a capture stores. */
export interface ResolvedSymbols {
  readonly kernel: Record<string, KernelPlace>;
  /** By object and offset in its file, as lines. */
  readonly user: Record<string, UserPlace>;
  /** Those of which it is true, as in `user`. */
  readonly frameless: Record<string, boolean>;
  /** By object. */
  readonly buildIds: Record<string, string>;
  /** By `PID:GENERATION ADDRESS`. */
  readonly jit: Record<string, JitPlace>;
  readonly demangled: Record<string, string>;
  /** Undefined when lines were not asked for. */
  lines?: Record<string, readonly SourceLine[]> | undefined;
  problems: readonly string[];
}

export type KeptSymbols = ResolvedSymbols;

/** Symbols that note down each answer. */
export interface KeepingSymbols {
  readonly symbols: Symbols;
  /** The answers that were not taken yet. */
  readonly take: () => KeptSymbols;
}

export function keepingSymbols(symbols: Symbols): KeepingSymbols {
  const known = new Set<string>();
  let kept = noSymbols();
  const note = <T>(table: 'kernel' | 'user' | 'frameless' | 'buildIds' | 'jit', key: string, value: T): T => {
    const name = `${table} ${key}`;
    if (value === undefined || known.has(name)) return value;
    known.add(name);
    (kept[table] as Record<string, T>)[key] = value;
    return value;
  };
  const { lines } = symbols;
  const keeping: Symbols = {
    kernel: (address) => note('kernel', address, symbols.kernel(address)),
    user: (mapping, fileOffset) =>
      note('user', placeKey({ mapping, fileOffset }), symbols.user(mapping, fileOffset)),
    frameless: (mapping, fileOffset) =>
      note(
        'frameless',
        placeKey({ mapping, fileOffset }),
        symbols.frameless(mapping, fileOffset) || undefined,
      ) ?? false,
    buildId: (mapping) => note('buildIds', objectKey(mapping), symbols.buildId(mapping)),
    jit: (pid, generation, address) =>
      note('jit', `${pid}:${generation} ${address}`, symbols.jit(pid, generation, address)),
    demangle: (names) => {
      const readable = symbols.demangle(names);
      for (const [name, text] of readable) kept.demangled[name] = text;
      return readable;
    },
    lines:
      lines &&
      ((places) => {
        const found = lines(places);
        kept.lines ??= {};
        for (const [i, place] of places.entries()) kept.lines[placeKey(place)] = found[i] ?? [];
        return found;
      }),
    problems: () => {
      kept.problems = symbols.problems();
      return kept.problems;
    },
  };
  const take = () => {
    const taken = kept;
    kept = noSymbols();
    return taken;
  };
  return { symbols: keeping, take };
}

/** Two mappings of the same key are of the same object: the vDSO is no file. */
export function objectKey({ path, file }: Mapping): string {
  return path === VDSO ? path : file;
}

/** How the kernel names what it maps into every process. */
export const VDSO = '[vdso]';

/** The key of a place in `user`, `frameless` and `lines`. */
export function placeKey({ mapping, fileOffset }: FilePlace): string {
  return `${objectKey(mapping)}+${fileOffset}`;
}

/** The key of such a place in `jit`. */
export function compiledKey({ pid, generation, address }: CompiledPlace): string {
  return `${pid}:${generation} ${address}`;
}

/** Adds later answers to a table. */
export function addToTable(all: KeptSymbols, { lines, problems, ...tables }: KeptSymbols): void {
  for (const [name, table] of Object.entries(tables)) Object.assign(all[name as keyof typeof tables], table);
  if (lines) all.lines = Object.assign(all.lines ?? {}, lines);
  all.problems = problems;
}

/** The symbols of a run that was kept. */
export function keptSymbols(kept: KeptSymbols): Symbols {
  const { lines } = kept;
  return {
    kernel: (address) => kept.kernel[address],
    user: (mapping, fileOffset) => kept.user[placeKey({ mapping, fileOffset })],
    frameless: (mapping, fileOffset) => kept.frameless[placeKey({ mapping, fileOffset })] ?? false,
    buildId: (mapping) => kept.buildIds[objectKey(mapping)],
    jit: (pid, generation, address) => kept.jit[`${pid}:${generation} ${address}`],
    demangle: () => new Map(Object.entries(kept.demangled)),
    lines: lines && ((places) => places.map((place) => lines[placeKey(place)] ?? [])),
    problems: () => kept.problems,
  };
}

/** A table without any answer. */
export function noSymbols(): KeptSymbols {
  return { kernel: {}, user: {}, frameless: {}, buildIds: {}, jit: {}, demangled: {}, problems: [] };
}
