import { type Mapping, parseMaps } from '../parsers/proc.ts';
import type { RawFrame } from '../parsers/stack.ts';
import type { MappingTexts } from './facts.ts';
import type { Frame } from './schema.ts';

/** Finds the executable mapping of an address in one exec generation of a process. */
type FindMapping = (pid: number, generation: number, address: bigint) => Mapping | undefined;

/** The table of frames that stacks point into: equal frames are one. */
export interface FrameTable {
  readonly frames: Frame[];
  /** Indices of a kernel stack's frames. */
  readonly kernel: (stack: readonly RawFrame[]) => number[];
  /** Indices of a user stack's frames, with the module of those that bpftrace could not name. */
  readonly user: (stack: readonly RawFrame[], pid: number, generation: number) => number[];
}

export function newFrameTable(findMapping: FindMapping): FrameTable {
  const frames: Frame[] = [];
  const known = new Map<string, number>();
  const indexOf = (frame: Frame): number => {
    const key = `${frame.address} ${frame.offset} ${frame.symbol} ${frame.module}`;
    let index = known.get(key);
    if (index === undefined) {
      index = frames.push(frame) - 1;
      known.set(key, index);
    }
    return index;
  };
  return {
    frames,
    kernel: (stack) => stack.map((frame) => indexOf(kernelFrame(frame))),
    user: (stack, pid, generation) =>
      stack.map((frame) => indexOf(userFrame(frame, (address) => findMapping(pid, generation, address)))),
  };
}

function kernelFrame(raw: RawFrame): Frame {
  return {
    address: raw.address,
    symbol: raw.symbol ?? null,
    module: raw.module ?? '[kernel]',
    offset: raw.offset ?? null,
  };
}

function userFrame(raw: RawFrame, find: (address: bigint) => Mapping | undefined): Frame {
  if (raw.symbol !== undefined) {
    return {
      address: raw.address,
      symbol: raw.symbol,
      module: raw.module ?? null,
      offset: raw.offset ?? null,
    };
  }
  const address = BigInt(raw.address);
  const mapping = find(address);
  return {
    address: raw.address,
    symbol: null,
    module: mapping?.path || raw.module || null,
    offset: mapping ? Number(address - mapping.start + mapping.fileOffset) : null,
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
