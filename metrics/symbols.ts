import type { SourceLine } from '../parsers/addr2line.ts';
import type { KernelSymbol } from '../parsers/kernel-symbols.ts';
import type { Mapping } from '../parsers/proc.ts';

/** A place in a function of user code. */
export interface UserSymbol {
  /** The name in the file: C++ and Rust names are mangled. */
  readonly symbol: string;
  /** Bytes from the start of the function. */
  readonly offset: number;
}

/** A place in a function that a runtime compiled. */
export interface JitSymbol extends UserSymbol {
  /** The file from which its name was read. */
  readonly module: string;
}

/** An address in a mapped file. */
export interface FileAddress {
  readonly mapping: Mapping;
  /** The address as an offset of the mapping's file. */
  readonly fileOffset: number;
}

/** An address outside mapped files, where a runtime may have compiled code. */
export interface JitAddress {
  readonly pid: number;
  readonly generation: number;
  readonly address: bigint;
}

/** The look-ups for one profile or one interval: plain data, without duplicates. */
export interface SymbolRequests {
  /** Addresses of kernel code, hexadecimal digits. */
  readonly kernel: readonly string[];
  /** Places in mapped files and in the vDSO. */
  readonly user: readonly FileAddress[];
  /**
   * The places of `user` that are the innermost frame of a stack: whether their functions set up a frame pointer is
   * looked up.
   */
  readonly leaves: readonly FileAddress[];
  readonly compiled: readonly JitAddress[];
  /** Whether file, line and inlined functions of every place in `user` are wanted. */
  readonly lines: boolean;
}

/** Looks up all requests at once. */
export type Resolve = (requests: SymbolRequests) => Promise<ResolvedSymbols>;

/** The answers: plain data, which a capture stores. */
export interface ResolvedSymbols {
  readonly kernel: Record<string, KernelSymbol>;
  /** By object and offset in its file, as lines. */
  readonly user: Record<string, UserSymbol>;
  /** Places whose function sets up no frame pointer, with the keys of `user`. */
  readonly frameless: Record<string, boolean>;
  /** Places after which a function begins, but where no call is: the word in a stack was not a return address. */
  readonly uncalled: Record<string, boolean>;
  /** By object. */
  readonly buildIds: Record<string, string>;
  /** By `PID:GENERATION ADDRESS`. */
  readonly jit: Record<string, JitSymbol>;
  readonly demangled: Record<string, string>;
  /** Undefined if lines were not requested. */
  lines?: Record<string, readonly SourceLine[]> | undefined;
  problems: readonly string[];
}

/** The key of a mapping's object: mappings with the same key belong to the same object. A vDSO is not a file. */
export function objectKey(mapping: Mapping): string {
  if (mapping.path !== VDSO) return mapping.file;
  return isVdso32(mapping) ? `${VDSO} 32` : VDSO;
}

/** The vDSO of a 32-bit process. That of a 64-bit process is near its stack, far beyond 4 GiB. */
export function isVdso32({ path, end }: Mapping): boolean {
  return path === VDSO && end > 0n && end <= 2n ** 32n;
}

/** How the kernel names what it maps into every process. */
export const VDSO = '[vdso]';

/** The key of a place in `user`, `frameless`, `uncalled` and `lines`. */
export function fileAddressKey({ mapping, fileOffset }: FileAddress): string {
  return `${objectKey(mapping)}+${fileOffset}`;
}

/** The key of such a place in `jit`. */
export function jitAddressKey({ pid, generation, address }: JitAddress): string {
  return `${pid}:${generation} ${address}`;
}

/** Adds later answers to a table. */
export function addToTable(all: ResolvedSymbols, { lines, problems, ...tables }: ResolvedSymbols): void {
  for (const [name, table] of Object.entries(tables)) Object.assign(all[name as keyof typeof tables], table);
  if (lines) all.lines = Object.assign(all.lines ?? {}, lines);
  all.problems = problems;
}

/** A table without any answer. */
export function noSymbols(): ResolvedSymbols {
  return {
    kernel: {},
    user: {},
    frameless: {},
    uncalled: {},
    buildIds: {},
    jit: {},
    demangled: {},
    problems: [],
  };
}
