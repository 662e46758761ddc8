import type { KernelPlace } from '../parsers/kernel-symbols.ts';
import { isMemory, type Mapping } from '../parsers/proc.ts';
import { type KnownPlaces, readStack } from '../parsers/stack.ts';
import type { Frame, MappingRow } from './ebpf-schema.ts';
import type { Facts } from './facts.ts';
import { distinct, hashOfText } from './hash.ts';
import type { AddressSpaces } from './mappings.ts';
import type { FilePlace, JitPlace, Symbols } from './symbols.ts';

/** The executable mappings of one exec generation of a process. */
interface AddressSpace {
  /** Whether there is anything that is known of it. */
  readonly known: boolean;
  readonly find: (address: bigint) => Mapping | undefined;
}

type AddressSpaceOf = (pid: number, generation: number) => AddressSpace;

/** The table of frames that stacks point into: equal frames are one. A stack is the indices of its frames, leaf first. */
export interface FrameTable {
  readonly frames: readonly Frame[];
  /** Where in its file each frame is; undefined for those of no file. */
  readonly places: readonly (FilePlace | undefined)[];
  /** What frames are in. */
  readonly mappings: readonly MappingRow[];
  /** @param text as bpftrace printed it */
  readonly kernel: (text: string) => number[];
  /**
   * Ends at the first frame that lies in no executable mapping: it is no return address, and what comes after is not
   * either.
   *
   * @param text as bpftrace printed it
   */
  readonly user: (text: string, pid: number, generation: number) => UserStack;
  /** A kernel stack whose frames have their names already. */
  readonly named: (places: readonly NamedPlace[]) => number[];
}

export interface UserStack {
  readonly stack: number[];
  /** Words that followed and were no code. */
  readonly cut: number;
  /** Whether callers are known to be missing: of the leaf, or at the other end. */
  readonly incomplete: boolean;
}

/** A place in the kernel that was read with its name. */
export interface NamedPlace extends KernelPlace {
  /** `0x` and hexadecimal digits; 0x0 when it is unknown. */
  readonly address: string;
}

/** What an address stands for that is no code. */
const NO_CODE = -1;

/** What is known of how stacks were taken. */
type StackFacts = Pick<Facts, 'dwarfPids' | 'dwarfGeneration' | 'stackDepth'>;

export function newFrameTable(
  spaceOf: AddressSpaceOf,
  symbols: Pick<Symbols, 'kernel' | 'user' | 'frameless' | 'jit' | 'buildId'>,
  { dwarfPids, dwarfGeneration, stackDepth }: StackFacts = {
    dwarfPids: [],
    dwarfGeneration: 1,
    stackDepth: 127,
  },
): FrameTable {
  const places: (FilePlace | undefined)[] = [];
  const { items: frames, indexOf: frameIndex } = distinct<Frame>(
    ({ address }) => hashOfText(address),
    areSame,
  );
  const { items: mappingRows, indexOf: rowIndex } = distinct<MappingRow>(
    ({ start }) => hashOfText(start),
    areSameMapping,
  );
  const mappingIndexes = new Map<Mapping, number>();
  const mappingIndex = (mapping: Mapping): number => {
    const index = mappingIndexes.get(mapping) ?? rowIndex(mappingRow(mapping, symbols.buildId));
    mappingIndexes.set(mapping, index);
    return index;
  };
  const indexOf = (frame: Frame, place?: FilePlace): number => {
    const mapping = place?.mapping.path ? mappingIndex(place.mapping) : undefined;
    const index = frameIndex(mapping === undefined ? frame : { ...frame, mapping });
    places[index] = place;
    return index;
  };
  const known = new Map<string, KnownPlaces>();
  const knownIn = (space: string): KnownPlaces => {
    const places = known.get(space) ?? { leaf: new Map(), callers: new Map() };
    known.set(space, places);
    return places;
  };
  const framelessLeaves = new Map<number, boolean>();
  const leafCallerThere = ([leaf = -1]: readonly number[]): boolean => {
    const place = places[leaf];
    const frameless =
      framelessLeaves.get(leaf) ?? (place ? symbols.frameless(place.mapping, place.fileOffset) : false);
    framelessLeaves.set(leaf, frameless);
    return !frameless;
  };
  return {
    frames,
    places,
    mappings: mappingRows,
    kernel: (text) =>
      readStack(text, knownIn('kernel'), (address, leaf) =>
        indexOf(kernelFrame(address, leaf, symbols.kernel)),
      ),
    user: (text, pid, generation) => {
      const space = spaceOf(pid, generation);
      const dwarf = generation === dwarfGeneration && dwarfPids.includes(pid);
      const compiled = (address: bigint) => symbols.jit(pid, generation, address);
      const look = (word: string, leaf: boolean) => {
        if (dwarf && word === NOT_UNWOUND) return NO_CODE;
        const address = dwarf && !leaf ? returnAddress(word) : word;
        const found = userFrame(address, leaf, space, compiled, symbols.user);
        return found ? indexOf(found.frame, found.place) : NO_CODE;
      };
      const { stack, cut } = endedByNoCode(readStack(text, knownIn(`${pid}:${generation}`), look));
      const whole = cut === 0 && stack.length < stackDepth;
      const ended = whole || stack.some((index) => OUTERMOST.test(frames[index]?.symbol ?? ''));
      return { stack, cut, incomplete: stack.length > 0 && !(ended && (dwarf || leafCallerThere(stack))) };
    },
    named: (kernel) => kernel.map((place) => indexOf(frameAt(place.address, place))),
  };
}

/** How the DWARF unwinder of bpftrace ends a stack that it cannot unwind any further. */
const NOT_UNWOUND = 'f'.repeat(16);

/** The DWARF unwinder of bpftrace has already gone back to the call, by a byte. */
function returnAddress(word: string): string {
  return (BigInt(`0x${word}`) + 1n).toString(16);
}

/** What no code calls that would be missed: programs and threads begin here. */
const OUTERMOST = /^(_start|main|start_thread|(__)?clone3?|__libc_start\w*|runtime\.(goexit|mstart)\S*)$/;

function endedByNoCode(stack: number[]): Omit<UserStack, 'incomplete'> {
  const end = stack.indexOf(NO_CODE);
  return end < 0 ? { stack, cut: 0 } : { stack: stack.slice(0, end), cut: stack.length - end };
}

function areSame(a: Frame, b: Frame): boolean {
  return (
    a.address === b.address &&
    a.offset === b.offset &&
    a.symbol === b.symbol &&
    a.module === b.module &&
    a.mapping === b.mapping
  );
}

function areSameMapping(a: MappingRow, b: MappingRow): boolean {
  return (
    a.start === b.start &&
    a.end === b.end &&
    a.file_offset === b.file_offset &&
    a.path === b.path &&
    a.build_id === b.build_id
  );
}

function mappingRow(mapping: Mapping, buildId: Symbols['buildId']): MappingRow {
  const { start, end, fileOffset, path } = mapping;
  return {
    start: `0x${start.toString(16)}`,
    end: `0x${end.toString(16)}`,
    file_offset: Number(fileOffset),
    path,
    build_id: buildId(mapping) ?? null,
  };
}

/** A return address is the one after the call, which may be the last instruction of its function. */
function callOf(address: bigint, leaf: boolean): bigint {
  return leaf ? address : address - 1n;
}

function kernelFrame(digits: string, leaf: boolean, nameOf: Symbols['kernel']): Frame {
  const back = leaf ? 0 : 1;
  const place = nameOf(callOf(BigInt(`0x${digits}`), leaf).toString(16));
  return frameAt(`0x${digits}`, place && { ...place, offset: place.offset + back });
}

function frameAt(address: string, place: KernelPlace | undefined): Frame {
  return {
    address,
    symbol: place?.symbol ?? null,
    module: place?.module ?? '[kernel]',
    offset: place?.offset ?? null,
  };
}

interface PlacedFrame {
  readonly frame: Frame;
  readonly place?: FilePlace;
}

/** Undefined when it is no code. The leaf is where the thread was, and always is. */
function userFrame(
  digits: string,
  leaf: boolean,
  space: AddressSpace,
  compiledAt: (address: bigint) => JitPlace | undefined,
  nameOf: Symbols['user'],
): PlacedFrame | undefined {
  const [address, place] = [`0x${digits}`, BigInt(`0x${digits}`)];
  const call = callOf(place, leaf);
  const back = Number(place - call);
  const mapping = space.find(call);
  const inFile = mapping?.path.startsWith('/') && !isMemory(mapping.path);
  const compiled = inFile ? undefined : compiledAt(call); // runtimes compile into memory
  if (compiled) return { frame: frameAt(address, { ...compiled, offset: compiled.offset + back }) };
  if (mapping) return mappedFrame(address, mapping, call, back, nameOf);
  return leaf || !space.known ? { frame: { address, symbol: null, module: null, offset: null } } : undefined;
}

/** @param back bytes from the call to the address */
function mappedFrame(
  address: string,
  mapping: Mapping,
  call: bigint,
  back: number,
  nameOf: Symbols['user'],
): PlacedFrame {
  const fileOffset = Number(call - mapping.start + mapping.fileOffset);
  const named = nameOf(mapping, fileOffset);
  const frame = {
    address,
    symbol: named?.symbol ?? null,
    module: mapping.path || null,
    offset: (named ? named.offset : fileOffset) + back,
  };
  return { frame, place: { mapping, fileOffset } };
}

/** Looks up the address space of a program that a process ran. */
export function addressSpaces(spaces: AddressSpaces): AddressSpaceOf {
  return (pid, generation) => newAddressSpace(spaces.get(`${pid}:${generation}`) ?? []);
}

/** Of mappings that overlap, the first is the latest. */
function newAddressSpace(mappings: readonly Mapping[]): AddressSpace {
  return {
    known: mappings.length > 0,
    find: (address) => mappings.find((m) => m.start <= address && address < m.end),
  };
}

/** The same frames with names for people. */
export function readable(frames: readonly Frame[], demangle: Symbols['demangle']): Frame[] {
  const names = demangle([...new Set(frames.flatMap((frame) => frame.symbol ?? []))]);
  return frames.map((frame) => ({ ...frame, symbol: names.get(frame.symbol ?? '') ?? frame.symbol }));
}
