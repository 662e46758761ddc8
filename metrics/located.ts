import { isMemory, type Mapping } from '../parsers/proc.ts';
import type { Addresses, KernelAddress, UserAddress } from './addresses.ts';
import type { Facts } from './facts.ts';
import { type AddressSpaces, type FindMapping, mappingFinder, SEVERAL_FILES } from './mappings.ts';
import { type FileAddress, fileAddressKey, type JitAddress, type SymbolRequests } from './symbols.ts';

/** Facts about how stacks were unwound. */
export type StackFacts = Pick<Facts, 'dwarfPids' | 'dwarfGeneration' | 'stackDepth'>;

/** A kernel address, and the address by which its name is looked up. */
export interface KernelSite {
  /** Hexadecimal digits of the address itself. */
  readonly digits: string;
  /** Digits for the look-up: a return address is after the call, so this one is before it. */
  readonly lookup: string;
  /** Bytes from the call to the address. */
  readonly back: number;
}

/** Where an address of user code lies. */
export interface UserSite {
  readonly digits: string;
  readonly back: number;
  /** Within the file of a mapping. */
  readonly place?: FileAddress | undefined;
  /** Where a runtime may have compiled code. */
  readonly compiled?: JitAddress | undefined;
  /** Whether it is a leaf whose caller is missing unless the function sets up a frame pointer. */
  readonly needsFramePointer: boolean;
  /** Whether it may be code without a known mapping: a leaf always is code, and mappings may be unknown. */
  readonly maybeCode: boolean;
}

/** The sites of all addresses, in the order of `Addresses`; undefined for a word that is not code. */
export interface Located {
  readonly kernel: readonly KernelSite[];
  readonly user: readonly (UserSite | undefined)[];
  /** The symbols that they need. */
  readonly requests: SymbolRequests;
}

/** Finds the mapping of each address, and collects the symbols to look up. */
export function locate(
  { kernelAddresses, userAddresses }: Addresses,
  spaces: AddressSpaces,
  facts: StackFacts,
  lines: boolean,
): Located {
  const kernel = kernelAddresses.map(kernelSite);
  const finders = new Map<string, FindMapping>();
  const findIn = (key: string): FindMapping => {
    const known = finders.get(key) ?? mappingFinder(spaces.get(key) ?? []);
    finders.set(key, known);
    return known;
  };
  const user = userAddresses.map((address) => {
    const key = `${address.pid}:${address.generation}`;
    return userSite(address, findIn(key), (spaces.get(key)?.length ?? 0) > 0, facts);
  });
  return { kernel, user, requests: requestsFor(kernel, user, lines) };
}

/** A return address is after the call, which may be the last instruction of its function. */
function kernelSite({ digits, leaf }: KernelAddress): KernelSite {
  const back = leaf ? 0 : 1;
  return { digits, back, lookup: leaf ? digits : (BigInt(`0x${digits}`) - 1n).toString(16) };
}

/** The address by which bpftrace's DWARF unwinder ends a stack that it cannot unwind further. */
const NOT_UNWOUND = 'f'.repeat(16);

function userSite(
  address: UserAddress,
  findMapping: FindMapping,
  hasMappings: boolean,
  facts: StackFacts,
): UserSite | undefined {
  const { pid, generation, leaf } = address;
  const dwarf = isByDwarf(facts, pid, generation);
  if (dwarf && address.digits === NOT_UNWOUND) return undefined;
  // bpftrace's DWARF unwinder has already gone back to the call, by a byte.
  const digits = dwarf && !leaf ? (BigInt(`0x${address.digits}`) + 1n).toString(16) : address.digits;
  const call = BigInt(`0x${digits}`) - (leaf ? 0n : 1n);
  const mapping = findMapping(call);
  return {
    digits,
    back: leaf ? 0 : 1,
    place: mapping && { mapping, fileOffset: Number(call - mapping.start + mapping.fileOffset) },
    compiled: mapping && isFile(mapping) ? undefined : { pid, generation, address: call },
    needsFramePointer: leaf && !dwarf,
    maybeCode: leaf || !hasMappings,
  };
}

export function isByDwarf(
  { dwarfPids, dwarfGeneration }: StackFacts,
  pid: number,
  generation: number,
): boolean {
  return generation === dwarfGeneration && dwarfPids.includes(pid);
}

/** Tells whether a mapping is, or was, of a file; runtimes compile code into anonymous memory. */
function isFile({ path }: Mapping): boolean {
  return path === SEVERAL_FILES || (path.startsWith('/') && !isMemory(path));
}

function requestsFor(
  kernel: readonly KernelSite[],
  user: readonly (UserSite | undefined)[],
  lines: boolean,
): SymbolRequests {
  const places = new Map<string, FileAddress>();
  const leaves = new Map<string, FileAddress>();
  for (const site of user) {
    if (!site?.place) continue;
    const key = fileAddressKey(site.place);
    places.set(key, site.place);
    if (site.needsFramePointer) leaves.set(key, site.place);
  }
  return {
    kernel: [...new Set(kernel.map(({ lookup }) => lookup))],
    user: [...places.values()],
    leaves: [...leaves.values()],
    compiled: user.flatMap((site) => site?.compiled ?? []),
    lines,
  };
}
