import type { SourceLine } from '../parsers/addr2line.ts';
import type { KernelSymbol } from '../parsers/kernel-symbols.ts';
import type { Mapping } from '../parsers/proc.ts';
import type { NamedKernelAddress } from './facts.ts';
import type { Frame, MappingRow } from './fields.ts';
import { distinct, hashOfText } from './hash.ts';
import { isByDwarf, type KernelSite, type Located, type StackFacts, type UserSite } from './located.ts';
import {
  type FileAddress,
  fileAddressKey,
  jitAddressKey,
  objectKey,
  type ResolvedSymbols,
} from './symbols.ts';

/** The table of the frames of all stacks, without duplicates. A stack is the indices of its frames, leaf first. */
export interface FrameTable {
  readonly frames: readonly Frame[];
  /** @param ids addresses of a stack, by their numbers */
  readonly kernel: (ids: readonly number[]) => number[];
  /**
   * A user stack. It ends at the first word that is not a return address: it is outside executable mappings, or the start of
   * a function. Those after it are not, either.
   */
  readonly user: (ids: readonly number[], pid: number, generation: number) => UserStack;
  /** A kernel stack whose frames have their names already. */
  readonly named: (places: readonly NamedKernelAddress[]) => number[];
  /** The frames as results have them. */
  readonly finished: () => FinishedFrames;
}

export interface UserStack {
  readonly stack: number[];
  /** Number of words after the last frame that are not code. */
  readonly cut: number;
  /** Whether callers are known to be missing: the leaf's caller, or those after the last frame. */
  readonly incomplete: boolean;
}

export interface FinishedFrames {
  /** Frames with readable names, and with source lines if requested. */
  readonly frames: Frame[];
  readonly mappings: MappingRow[];
  /** The indices of a stack in these frames. */
  readonly stack: (indices: number[]) => number[];
}

/** Stands for the index of a frame: the word is not code. */
const NO_CODE = -1;

/** @param located the addresses that stacks may have */
export function newFrameTable(located: Located, symbols: ResolvedSymbols, facts: StackFacts): FrameTable {
  const places: (FileAddress | undefined)[] = [];
  const { items: frames, indexOf: frameIndex } = distinct<Frame>(
    ({ address }) => hashOfText(address),
    areSame,
  );
  const mappings = newMappingTable(symbols);
  const add = ({ frame, place }: PlacedFrame): number => {
    const mapping = place?.mapping.path ? mappings.indexOf(place.mapping) : undefined;
    const index = frameIndex(mapping === undefined ? frame : { ...frame, mapping });
    places[index] = place;
    return index;
  };
  const kernelIndices = newIndices(located.kernel, (site) => frameIndex(kernelFrame(site, symbols)));
  const userIndices = newIndices(located.user, (site) => {
    const found = site && userFrame(site, symbols);
    return found ? add(found) : NO_CODE;
  });
  const frameless: (boolean | undefined)[] = [];
  const isFrameless = (leaf: number): boolean => {
    const place = places[leaf];
    frameless[leaf] ??= place !== undefined && symbols.frameless[fileAddressKey(place)] === true;
    return frameless[leaf];
  };
  return {
    frames,
    kernel: (ids) => ids.map(kernelIndices),
    user: (ids, pid, generation) => {
      const { stack, cut } = cutAtNonCode(ids.map(userIndices));
      const whole = cut === 0 && stack.length < facts.stackDepth;
      const ended = whole || stack.some((index) => OUTERMOST.test(frames[index]?.symbol ?? ''));
      const complete = ended && (isByDwarf(facts, pid, generation) || !isFrameless(stack[0] ?? 0));
      return { stack, cut, incomplete: stack.length > 0 && !complete };
    },
    named: (kernel) => kernel.map((place) => frameIndex(frameAt(place.address, place))),
    finished: () => ({ mappings: [...mappings.rows], ...finishFrames(frames, places, symbols) }),
  };
}

/** Finds the frame index of each address, and looks up each address once. */
function newIndices<Site>(sites: readonly Site[], indexOf: (site: Site) => number): (id: number) => number {
  const known: number[] = [];
  return (id) => {
    known[id] ??= indexOf(sites[id] as Site);
    return known[id];
  };
}

function newMappingTable({ buildIds }: ResolvedSymbols) {
  const { items: rows, indexOf: rowIndex } = distinct<MappingRow>(
    ({ start }) => hashOfText(start),
    areSameMapping,
  );
  const indices = new Map<Mapping, number>();
  const indexOf = (mapping: Mapping): number => {
    const index = indices.get(mapping) ?? rowIndex(mappingRow(mapping, buildIds[objectKey(mapping)] ?? null));
    indices.set(mapping, index);
    return index;
  };
  return { rows, indexOf };
}

/** Functions where programs and threads begin: they have no callers that could be missing. */
const OUTERMOST = /^(_start|main|start_thread|(__)?clone3?|__libc_start\w*|runtime\.(goexit|mstart)\S*)$/;

function cutAtNonCode(stack: number[]): Omit<UserStack, 'incomplete'> {
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

function mappingRow({ start, end, fileOffset, path }: Mapping, build_id: string | null): MappingRow {
  return {
    start: `0x${start.toString(16)}`,
    end: `0x${end.toString(16)}`,
    file_offset: Number(fileOffset),
    path,
    build_id,
  };
}

function kernelFrame({ digits, lookup, back }: KernelSite, { kernel }: ResolvedSymbols): Frame {
  const place = Object.hasOwn(kernel, lookup) ? kernel[lookup] : undefined;
  return frameAt(`0x${digits}`, place && { ...place, offset: place.offset + back });
}

function frameAt(address: string, place: KernelSymbol | undefined): Frame {
  return {
    address,
    symbol: place?.symbol ?? null,
    module: place?.module ?? '[kernel]',
    offset: place?.offset ?? null,
  };
}

interface PlacedFrame {
  readonly frame: Frame;
  readonly place?: FileAddress;
}

/** Makes a user frame; undefined if the word is not code, or not a return address. */
function userFrame(site: UserSite, symbols: ResolvedSymbols): PlacedFrame | undefined {
  if (site.back > 0 && site.place && symbols.uncalled[fileAddressKey(site.place)]) return undefined;
  const address = `0x${site.digits}`;
  const compiled = site.compiled && symbols.jit[jitAddressKey(site.compiled)];
  if (compiled) return { frame: frameAt(address, { ...compiled, offset: compiled.offset + site.back }) };
  if (site.place) return mappedFrame(address, site.place, site.back, symbols);
  return site.maybeCode ? { frame: { address, symbol: null, module: null, offset: null } } : undefined;
}

function mappedFrame(
  address: string,
  place: FileAddress,
  back: number,
  { user }: ResolvedSymbols,
): PlacedFrame {
  const named = user[fileAddressKey(place)];
  const frame = {
    address,
    symbol: named?.symbol ?? null,
    module: place.mapping.path || null,
    offset: (named ? named.offset : place.fileOffset) + back,
  };
  return { frame, place };
}

function finishFrames(
  frames: readonly Frame[],
  places: readonly (FileAddress | undefined)[],
  { lines, demangled }: ResolvedSymbols,
): Pick<FinishedFrames, 'frames' | 'stack'> {
  const readable = (frame: Frame): Frame => {
    const name = frame.symbol !== null && Object.hasOwn(demangled, frame.symbol) && demangled[frame.symbol];
    return { ...frame, symbol: name || frame.symbol };
  };
  if (!lines) return { frames: frames.map(readable), stack: (indices) => indices };
  const finished: Frame[] = [];
  const indices = frames.map((frame, i) => {
    const place = places[i];
    return withLines(frame, place ? (lines[fileAddressKey(place)] ?? []) : []).map(
      (one) => finished.push(readable(one)) - 1,
    );
  });
  return { frames: finished, stack: (old) => old.flatMap((index) => indices[index] ?? []) };
}

/**
 * Adds the source line to a frame. Inlined calls become frames of their own, innermost first. The last frame is the
 * function itself, with its name and offset.
 */
function withLines(frame: Frame, lines: readonly SourceLine[]): Frame[] {
  const own = lines.at(-1);
  const inlined = lines.slice(0, -1).map(({ function: symbol, file, line }) => {
    return { ...frame, symbol, offset: null, file, line, inlined: true };
  });
  const symbol = frame.symbol ?? own?.function ?? null;
  return [...inlined, { ...frame, symbol, file: own?.file ?? null, line: own?.line ?? null, inlined: false }];
}
