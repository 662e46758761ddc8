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
export function addToTable(all: ResolvedSymbols, { lines, problems, ...tables }: ResolvedSymbols): void {
  for (const [name, table] of Object.entries(tables)) Object.assign(all[name as keyof typeof tables], table);
  if (lines) all.lines = Object.assign(all.lines ?? {}, lines);
  all.problems = problems;
}

/** A table without any answer. */
export function noSymbols(): ResolvedSymbols {
  return { kernel: {}, user: {}, frameless: {}, buildIds: {}, jit: {}, demangled: {}, problems: [] };
}
