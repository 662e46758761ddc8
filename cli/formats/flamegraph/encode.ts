import { gzipSync } from 'node:zlib';
import { frameName, type StackFrame, type TimedStack } from '../../../metrics/timed-stacks.ts';
import { printable } from '../../plain-text.ts';
import { emptyStackName } from '../folded/folded-stacks.ts';
import { type EmbeddedTables, IDLE, type KindColours, type KindEvents, OPEN } from './flame-profile.ts';
import type { FlameStack } from './flame-stack.ts';

/**
 * Packs stacks for the page: decodeProfile reads them there. A function is identified by name, file, user or kernel, and
 * whether it is inlined; addresses and lines are left out.
 *
 * @param colours of the kinds of time
 * @param events words for their events
 * @returns base64 of gzip
 */
export function encodeProfile(
  stacks: readonly FlameStack[],
  colours: KindColours,
  events: KindEvents,
): string {
  const tables = tablesOf();
  const rows = stacks
    .map((stack) => ({ stack, chain: chainOf(stack, tables.frameIndex) }))
    .sort((a, b) => compareChains(a.chain, b.chain));
  const { shared, added, fresh } = frontCoded(rows.map(({ chain }) => chain));
  const sorted = rows.map(({ stack }) => stack);
  const thread = sorted.map(tables.threadIndex);
  const kind = sorted.map((stack) => tables.kinds.indexOf(stack.kind, () => stack.kind));
  const flags = sorted.map((stack) => (stack.idle ? IDLE : 0) | (stack.open ? OPEN : 0));
  const json: EmbeddedTables = {
    ...{ stacks: rows.length, chains: fresh.length },
    ...{ frames: tables.frames.rows, files: tables.files.rows },
    ...{ threads: tables.threads.rows, kinds: tables.kinds.rows },
    colours: tables.kinds.rows.map((kind) => colours[kind] ?? NO_COLOUR),
    events,
    timeNs: sorted.map(({ timeNs }) => timeNs),
    ...(isComparison(stacks) ? { beforeNs: sorted.map(({ beforeNs = 0 }) => beforeNs) } : {}),
    count: sorted.map(({ count }) => count),
  };
  const columns = [shared, added, thread, kind, flags, fresh];
  return gzipSync(bytesOf(JSON.stringify(json), columns)).toString('base64');
}

const NO_COLOUR = [0, 0] as const;

/** Whether the stacks have their values of before. */
export function isComparison(stacks: readonly FlameStack[]): boolean {
  return stacks.some(({ beforeNs }) => beforeNs !== undefined);
}

function tablesOf() {
  const frames = indexed<EmbeddedTables['frames'][number]>();
  const files = indexed<string>();
  const threads = indexed<EmbeddedTables['threads'][number]>();
  const kinds = indexed<string>();
  const fileIndex = (path: string | null | undefined) =>
    path ? files.indexOf(path, () => printable(path)) : -1;
  const known = new Map<StackFrame, number>();
  const add = (row: StackFrame) => {
    const { frame, kind } = row;
    const [name, inlined] = [frameName(row), frame.inlined ? 1 : 0] as const;
    const index = frames.indexOf(JSON.stringify([name, frame.module, kind, inlined]), () => [
      ...([printable(name), kind, fileIndex(frame.module), fileIndex(frame.file), inlined] as const),
    ]);
    known.set(row, index);
    return index;
  };
  return {
    ...{ frames, files, threads, kinds },
    frameIndex: (row: StackFrame | string) =>
      typeof row === 'string'
        ? frames.indexOf(row, () => [row, 'none', -1, -1, 0])
        : (known.get(row) ?? add(row)),
    threadIndex: ({ pid, tid, comm }: TimedStack) =>
      threads.indexOf(`${pid}:${tid}:${comm}`, () => [pid, tid, comm === null ? null : printable(comm)]),
  };
}

/** A table of rows with distinct keys. */
function indexed<T>() {
  const rows: T[] = [];
  const keys = new Map<string, number>();
  const indexOf = (key: string, make: () => T): number => {
    const known = keys.get(key);
    if (known !== undefined) return known;
    keys.set(key, rows.length);
    return rows.push(make()) - 1;
  };
  return { rows, indexOf };
}

function chainOf({ frames, kind }: TimedStack, frameIndex: (row: StackFrame | string) => number): number[] {
  return frames.length > 0 ? frames.map(frameIndex) : [frameIndex(emptyStackName(kind))];
}

function compareChains(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((frame, i) => frame !== b[i]);
  return at < 0 ? a.length - b.length : (a[at] as number) - (b[at] ?? -1);
}

/** Each chain as the length of its common beginning with the previous one, and the rest. */
function frontCoded(chains: readonly (readonly number[])[]) {
  const [shared, added, fresh]: [number[], number[], number[]] = [[], [], []];
  let before: readonly number[] = [];
  for (const chain of chains) {
    const at = chain.findIndex((frame, i) => frame !== before[i]);
    const common = at < 0 ? chain.length : at;
    shared.push(common);
    added.push(chain.length - common);
    for (let i = common; i < chain.length; i++) fresh.push(chain[i] as number);
    before = chain;
  }
  return { shared, added, fresh };
}

function bytesOf(json: string, columns: readonly (readonly number[])[]): Buffer {
  const text = Buffer.from(json);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return Buffer.concat([length, text, ...columns.map(planes)]);
}

/** The lowest bytes of all numbers, then the next ones. */
function planes(numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * numbers.length);
  numbers.forEach((number, i) => {
    for (let plane = 0; plane < 4; plane++)
      bytes[i + plane * numbers.length] = (number >>> (8 * plane)) & 0xff;
  });
  return bytes;
}
