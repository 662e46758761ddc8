import type { KernelPlace, KernelSymbols } from '../parsers/kernel-symbols.ts';
import { type Mapping, parseMaps } from '../parsers/proc.ts';
import { type Known, readStack } from '../parsers/stack.ts';
import type { MappingTexts } from './facts.ts';
import type { Frame } from './schema.ts';

/** Finds the executable mapping of an address in one exec generation of a process. */
type FindMapping = (pid: number, generation: number, address: bigint) => Mapping | undefined;

/** The table of frames that stacks point into: equal frames are one. A stack is the indices of its frames, leaf first. */
export interface FrameTable {
  readonly frames: readonly Frame[];
  /** @param text as bpftrace printed it */
  readonly kernel: (text: string) => number[];
  /** @param text as bpftrace printed it */
  readonly user: (text: string, pid: number, generation: number) => number[];
  /** A kernel stack whose frames have their names already. */
  readonly named: (places: readonly NamedPlace[]) => number[];
}

/** A place in the kernel that was read with its name. */
export interface NamedPlace extends KernelPlace {
  /** `0x` and hexadecimal digits; 0x0 when it is unknown. */
  readonly address: string;
}

export function newFrameTable(findMapping: FindMapping, symbols: Pick<KernelSymbols, 'find'>): FrameTable {
  const frames: Frame[] = [];
  const indexOf = frameIndex(frames);
  /** Each address of an address space is looked up once. */
  const known = new Map<string, Known>();
  const knownIn = (space: string) => {
    const addresses = known.get(space) ?? new Map();
    known.set(space, addresses);
    return addresses;
  };
  return {
    frames,
    kernel: (text) =>
      readStack(text, knownIn('kernel'), (address) =>
        indexOf(kernelFrame(`0x${address}`, symbols.find(address))),
      ),
    user: (text, pid, generation) =>
      readStack(text, knownIn(`${pid}:${generation}`), (address) =>
        indexOf(userFrame(`0x${address}`, (place) => findMapping(pid, generation, place))),
      ),
    named: (places) => places.map((place) => indexOf(kernelFrame(place.address, place))),
  };
}

/** Each frame is kept once. */
function frameIndex(frames: Frame[]): (frame: Frame) => number {
  const known = new Map<string, number>();
  return (frame) => {
    const key = `${frame.address} ${frame.offset} ${frame.symbol} ${frame.module}`;
    const index = known.get(key) ?? frames.push(frame) - 1;
    known.set(key, index);
    return index;
  };
}

function kernelFrame(address: string, place: KernelPlace | undefined): Frame {
  return {
    address,
    symbol: place?.symbol ?? null,
    module: place?.module ?? '[kernel]',
    offset: place?.offset ?? null,
  };
}

function userFrame(address: string, find: (address: bigint) => Mapping | undefined): Frame {
  const place = BigInt(address);
  const mapping = find(place);
  return {
    address,
    symbol: null,
    module: mapping?.path || null,
    offset: mapping ? Number(place - mapping.start + mapping.fileOffset) : null,
  };
}

/** Each text is parsed once, when the first address of its process is asked for. */
export function mappingFinder(texts: MappingTexts): FindMapping {
  const parsed = new Map<string, Mapping[]>();
  return (pid, generation, address) => {
    const key = `${pid}:${generation}`;
    const mappings = parsed.get(key) ?? parseMaps(texts[key] ?? '');
    parsed.set(key, mappings);
    return mappings.find((m) => m.start <= address && address < m.end);
  };
}
