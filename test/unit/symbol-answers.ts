import {
  type FileAddress,
  fileAddressKey,
  type JitSymbol,
  jitAddressKey,
  noSymbols,
  objectKey,
  type ResolvedSymbols,
  type SymbolRequests,
  type UserSymbol,
} from '../../metrics/symbols.ts';
import type { SourceLine } from '../../parsers/addr2line.ts';
import type { KernelSymbol } from '../../parsers/kernel-symbols.ts';
import type { Mapping } from '../../parsers/proc.ts';

/** The symbols that a test knows, as functions. */
export interface Lookups {
  /** @param address hexadecimal digits */
  readonly kernel: (address: string) => KernelSymbol | undefined;
  readonly user: (mapping: Mapping, fileOffset: number) => UserSymbol | undefined;
  readonly frameless: (mapping: Mapping, fileOffset: number) => boolean;
  readonly uncalled: (mapping: Mapping, fileOffset: number) => boolean;
  readonly jit: (pid: number, generation: number, address: bigint) => JitSymbol | undefined;
  readonly buildId: (mapping: Mapping) => string | undefined;
  readonly demangle: (name: string) => string | undefined;
  readonly lines: (place: FileAddress) => readonly SourceLine[];
  readonly problems: readonly string[];
}

/** The table that a resolver with this knowledge returns: it answers what was requested, and nothing else. */
export function answersTo(requests: SymbolRequests, known: Partial<Lookups>): ResolvedSymbols {
  const table: ResolvedSymbols = {
    ...noSymbols(),
    kernel: answers(requests.kernel, (address) => address, known.kernel),
    user: answers(requests.user, fileAddressKey, (place) => known.user?.(place.mapping, place.fileOffset)),
    frameless: answers(requests.leaves, fileAddressKey, (place) =>
      known.frameless?.(place.mapping, place.fileOffset) ? true : undefined,
    ),
    uncalled: answers(requests.user, fileAddressKey, (place) =>
      known.uncalled?.(place.mapping, place.fileOffset) ? true : undefined,
    ),
    buildIds: answers(
      requests.user,
      (place) => objectKey(place.mapping),
      (place) => known.buildId?.(place.mapping),
    ),
    jit: answers(requests.compiled, jitAddressKey, ({ pid, generation, address }) =>
      known.jit?.(pid, generation, address),
    ),
    ...(requests.lines
      ? { lines: answers(requests.user, fileAddressKey, (place) => known.lines?.(place) ?? []) }
      : {}),
    problems: known.problems ?? [],
  };
  return { ...table, demangled: answers(namesIn(table), (name) => name, known.demangle) };
}

function answers<Request, Answer>(
  requests: readonly Request[],
  keyOf: (request: Request) => string,
  answer: ((request: Request) => Answer | undefined) | undefined,
): Record<string, Answer> {
  const known: Record<string, Answer> = {};
  for (const request of requests) {
    const found = answer?.(request);
    if (found !== undefined) known[keyOf(request)] = found;
  }
  return known;
}

function namesIn({ kernel, user, jit, lines = {} }: ResolvedSymbols): string[] {
  const symbols = [kernel, user, jit].flatMap((places) => Object.values(places)).map(({ symbol }) => symbol);
  return [...symbols, ...Object.values(lines).flatMap((rows) => rows.flatMap((row) => row.function ?? []))];
}
