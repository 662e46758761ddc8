import type { KernelPlace } from '../parsers/kernel-symbols.ts';
import type { Mapping } from '../parsers/proc.ts';

/** A place in a function of user code. */
export interface UserPlace {
  /** As the file has it: C++ and Rust names are mangled. */
  readonly symbol: string;
  /** Bytes from the start of the function. */
  readonly offset: number;
}

/** Names for addresses, wherever they come from: this machine, or a run that was kept. */
export interface Symbols {
  /** @param address hexadecimal digits */
  readonly kernel: (address: string) => KernelPlace | undefined;
  /**
   * @param mapping what the address lies in
   * @param fileOffset the address as an offset of the mapping's file
   */
  readonly user: (mapping: Mapping, fileOffset: number) => UserPlace | undefined;
  /** Readable names of those that are mangled. */
  readonly demangle: (names: readonly string[]) => ReadonlyMap<string, string>;
}

/** What was asked of symbols, with the answers: plain data. */
export interface KeptSymbols {
  readonly kernel: Record<string, KernelPlace>;
  /** By `PATH+OFFSET`. */
  readonly user: Record<string, UserPlace>;
  readonly demangled: Record<string, string>;
}

/** Symbols that note down each answer in `kept`. */
export function keepingSymbols(symbols: Symbols, kept: KeptSymbols): Symbols {
  const noted = <T>(record: Record<string, T>, key: string, value: T | undefined): T | undefined => {
    if (value !== undefined) record[key] = value;
    return value;
  };
  return {
    kernel: (address) => noted(kept.kernel, address, symbols.kernel(address)),
    user: (mapping, offset) => noted(kept.user, `${mapping.path}+${offset}`, symbols.user(mapping, offset)),
    demangle: (names) => {
      const readable = symbols.demangle(names);
      for (const [name, text] of readable) kept.demangled[name] = text;
      return readable;
    },
  };
}

/** The symbols of a run that was kept. */
export function keptSymbols(kept: KeptSymbols): Symbols {
  return {
    kernel: (address) => kept.kernel[address],
    user: ({ path }, offset) => kept.user[`${path}+${offset}`],
    demangle: () => new Map(Object.entries(kept.demangled)),
  };
}

/** Of a run in which nothing was asked. */
export const NO_SYMBOLS: KeptSymbols = { kernel: {}, user: {}, demangled: {} };
