import { isMemory, type Mapping } from '../parsers/proc.ts';
import type { Addresses, KernelAddress, UserAddress } from './addresses.ts';
import type { Facts } from './facts.ts';
import type { AddressSpaces } from './mappings.ts';
import { type CompiledPlace, type FilePlace, placeKey, type SymbolRequests } from './symbols.ts';

/** What is known of how stacks were taken. */
export type StackFacts = Pick<Facts, 'dwarfPids' | 'dwarfGeneration' | 'stackDepth'>;

/** An address of the kernel, and what its name is looked up by. */
export interface KernelSite {
  /** Hexadecimal digits of the address itself. */
  readonly digits: string;
  /** Of the call, which is before a return address. */
  readonly lookup: string;
  /** Bytes from the call to the address. */
  readonly back: number;
}

/** Where an address of user code lies. */
export interface UserSite {
  readonly digits: string;
  readonly back: number;
  /** Within the file of a mapping. */
  readonly place?: FilePlace | undefined;
  /** Where a runtime may have compiled code. */
  readonly compiled?: CompiledPlace | undefined;
  /** It is a leaf whose caller is known only if its function sets up a frame pointer. */
  readonly needsFramePointer: boolean;
  /** It may be code although nothing is mapped there: the leaf always is, and mappings may be unknown. */
  readonly maybeCode: boolean;
}

/** All addresses of a span, by their numbers in `Addresses`; undefined for a word that was never code. */
export interface Located {
  readonly kernel: readonly KernelSite[];
  readonly user: readonly (UserSite | undefined)[];
  /** What has to be looked up for them. */
  readonly requests: SymbolRequests;
}

/** Finds the mapping of each address, and collects what has to be looked up. */
export function locate(
  { kernelAddresses, userAddresses }: Addresses,
  spaces: AddressSpaces,
  facts: StackFacts,
  lines: boolean,
): Located {
  const kernel = kernelAddresses.map(kernelSite);
  const user = userAddresses.map((address) => userSite(address, spaces, facts));
  return { kernel, user, requests: requestsFor(kernel, user, lines) };
}

/** A return address is the one after the call, which may be the last instruction of its function. */
function kernelSite({ digits, leaf }: KernelAddress): KernelSite {
  const back = leaf ? 0 : 1;
  return { digits, back, lookup: leaf ? digits : (BigInt(`0x${digits}`) - 1n).toString(16) };
}

/** How bpftrace's DWARF unwinder ends a stack that it cannot unwind any further. */
const NOT_UNWOUND = 'f'.repeat(16);

function userSite(address: UserAddress, spaces: AddressSpaces, facts: StackFacts): UserSite | undefined {
  const { pid, generation, leaf } = address;
  const dwarf = isByDwarf(facts, pid, generation);
  if (dwarf && address.digits === NOT_UNWOUND) return undefined;
  // bpftrace's DWARF unwinder has already gone back to the call, by a byte.
  const digits = dwarf && !leaf ? (BigInt(`0x${address.digits}`) + 1n).toString(16) : address.digits;
  const call = BigInt(`0x${digits}`) - (leaf ? 0n : 1n);
  const mappings = spaces.get(`${pid}:${generation}`) ?? [];
  const mapping = mappings.find(({ start, end }) => start <= call && call < end);
  return {
    digits,
    back: leaf ? 0 : 1,
    place: mapping && { mapping, fileOffset: Number(call - mapping.start + mapping.fileOffset) },
    compiled: mapping && isFile(mapping) ? undefined : { pid, generation, address: call },
    needsFramePointer: leaf && !dwarf,
    maybeCode: leaf || mappings.length === 0,
  };
}

export function isByDwarf(
  { dwarfPids, dwarfGeneration }: StackFacts,
  pid: number,
  generation: number,
): boolean {
  return generation === dwarfGeneration && dwarfPids.includes(pid);
}

/** Runtimes compile into memory. */
function isFile({ path }: Mapping): boolean {
  return path.startsWith('/') && !isMemory(path);
}

function requestsFor(
  kernel: readonly KernelSite[],
  user: readonly (UserSite | undefined)[],
  lines: boolean,
): SymbolRequests {
  const places = new Map<string, FilePlace>();
  const leaves = new Map<string, FilePlace>();
  for (const site of user) {
    if (!site?.place) continue;
    const key = placeKey(site.place);
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
