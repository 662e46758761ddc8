import type { ObjectFiles } from '../../../../bt/symbols/object-files.ts';
import { newResolver } from '../../../../bt/symbols/resolver.ts';
import type { SymbolCache } from '../../../../bt/symbols/symbol-cache.ts';
import {
  type FileAddress,
  fileAddressKey,
  type ResolvedSymbols,
  type SymbolRequests,
  type UserSymbol,
} from '../../../../metrics/symbols.ts';
import type { SourceLine } from '../../../../parsers/addr2line.ts';
import type { Mapping } from '../../../../parsers/proc.ts';

export const NOTHING: SymbolRequests = { kernel: [], user: [], leaves: [], compiled: [], lines: false };

/** A resolver for user code that answers one kind of request at a time. */
export interface Asker {
  readonly resolve: (requests: Partial<SymbolRequests>) => Promise<ResolvedSymbols>;
  readonly user: (mapping: Mapping, fileOffset: number) => Promise<UserSymbol | undefined>;
  readonly users: (places: readonly FileAddress[]) => Promise<(UserSymbol | undefined)[]>;
  readonly frameless: (places: readonly FileAddress[]) => Promise<boolean[]>;
  readonly lines: (places: readonly FileAddress[]) => Promise<(readonly SourceLine[] | undefined)[]>;
  readonly problems: () => Promise<readonly string[]>;
}

export function newAsker(files: ObjectFiles, cache?: SymbolCache): Asker {
  const noPerfMaps = { find: () => undefined, problems: () => [] };
  const resolver = newResolver(files, noPerfMaps, cache, undefined);
  const resolve = (requests: Partial<SymbolRequests>) => resolver.resolve({ ...NOTHING, ...requests });
  const users = async (places: readonly FileAddress[]) => {
    const { user } = await resolve({ user: places });
    return places.map((place) => user[fileAddressKey(place)]);
  };
  return {
    resolve,
    users,
    user: async (mapping, fileOffset) => (await users([{ mapping, fileOffset }]))[0],
    frameless: async (places) => {
      const { frameless } = await resolve({ user: places, leaves: places });
      return places.map((place) => frameless[fileAddressKey(place)] ?? false);
    },
    lines: async (places) => {
      const { lines } = await resolve({ user: places, lines: true });
      return places.map((place) => lines?.[fileAddressKey(place)]);
    },
    problems: async () => (await resolve({})).problems,
  };
}
