import { ON_CPU } from '../../../metrics/kinds.ts';

/** A row of the page's table of frames: a function, or what stacks are grouped under. */
export interface FlameFrame {
  readonly name: string;
  /** `none`: stands for a stack without frames. `group`: a thread, a process, a reason or the root. */
  readonly kind: 'user' | 'kernel' | 'none' | 'group';
  /** File that holds the code; null if unknown. */
  readonly module: string | null;
  /** Source file. */
  readonly source: string | null;
  readonly inlined: boolean;
}

export interface FlameThread {
  readonly pid: number;
  readonly tid: number;
  readonly comm: string | null;
}

/** The data of the page. Stacks are columns of equal length; call chains share their beginnings. */
export interface FlameProfile {
  /** Functions first, then groups. */
  readonly frames: readonly FlameFrame[];
  readonly threads: readonly FlameThread[];
  /** Names of the kinds of time, the colour of each, and the words for their events. */
  readonly kinds: readonly string[];
  readonly colours: readonly KindColour[];
  readonly events: KindEvents;
  /** Index into frames of the first thread, process and kind, of each thread's process, and of all. */
  readonly groups: {
    readonly thread: number;
    readonly kind: number;
    readonly processOf: readonly number[];
    readonly root: number;
  };
  /** Call chains as a tree: the chain that each one extends, or -1, and the frame that it adds. */
  readonly chains: { readonly parent: Int32Array; readonly frame: Int32Array };
  readonly stacks: FlameStacks;
}

export interface FlameStacks {
  readonly length: number;
  readonly thread: Uint32Array;
  readonly kind: Uint32Array;
  /** Bits: IDLE, OPEN. */
  readonly flags: Uint32Array;
  /** Index into chains. */
  readonly chain: Int32Array;
  readonly timeNs: Float64Array;
  /** In a comparison: the earlier time. */
  readonly beforeNs: Float64Array | undefined;
  readonly count: Float64Array;
}

/** Hue in degrees and chroma, for oklch. */
export type KindColour = readonly [hue: number, chroma: number];
export type KindColours = Readonly<Record<string, KindColour>>;
/** The word for one event, such as `wait`. */
export type KindEvents = Readonly<Record<string, string>>;

export const IDLE = 1;
export const OPEN = 2;

/** The part of the embedded bytes that is JSON. */
export interface EmbeddedTables {
  /** Numbers of stacks and of chains. */
  readonly stacks: number;
  readonly chains: number;
  readonly frames: readonly (readonly [
    name: string,
    kind: string,
    module: number,
    source: number,
    inlined: 0 | 1,
  ])[];
  /** Names of files; -1 is none. */
  readonly files: readonly string[];
  readonly threads: readonly (readonly [pid: number, tid: number, comm: string | null])[];
  readonly kinds: readonly string[];
  readonly colours: readonly KindColour[];
  readonly events: KindEvents;
  readonly timeNs: readonly number[];
  readonly beforeNs?: readonly number[];
  readonly count: readonly number[];
}

/**
 * Reads what encodeProfile wrote: the length of the tables (4 bytes, little endian), the tables as JSON, and six columns
 * of numbers: of each stack how many frames it shares with the one before and how many it adds, its thread, kind and
 * flags; of each added frame its index.
 */
export function decodeProfile(bytes: Uint8Array): FlameProfile {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const text = new TextDecoder().decode(bytes.subarray(4, 4 + length));
  const tables = JSON.parse(text) as EmbeddedTables;
  let at = 4 + length;
  const column = (rows: number) => {
    const numbers = readColumn(bytes.subarray(at, at + 4 * rows), rows);
    at += 4 * rows;
    return numbers;
  };
  const n = tables.stacks;
  const [shared, added, thread, kind, flags] = [column(n), column(n), column(n), column(n), column(n)];
  const { parent, leaf } = chainsOf(shared, added, tables.chains);
  return {
    ...namesOf(tables),
    chains: { parent, frame: new Int32Array(column(tables.chains)) },
    stacks: {
      ...{ length: n, thread, kind, flags, chain: leaf, timeNs: Float64Array.from(tables.timeNs) },
      beforeNs: tables.beforeNs && Float64Array.from(tables.beforeNs),
      count: Float64Array.from(tables.count),
    },
  };
}

/** Reads numbers from planes of bytes, lowest first: similar bytes are adjacent, so gzip compresses them well. */
function readColumn(bytes: Uint8Array, rows: number): Uint32Array {
  const numbers = new Uint32Array(rows);
  for (let i = 0; i < rows; i++) {
    const [a, b, c, d] = [bytes[i], bytes[i + rows], bytes[i + 2 * rows], bytes[i + 3 * rows]] as number[];
    numbers[i] = ((a as number) | ((b as number) << 8) | ((c as number) << 16) | ((d as number) << 24)) >>> 0;
  }
  return numbers;
}

function chainsOf(shared: Uint32Array, added: Uint32Array, chains: number) {
  const parent = new Int32Array(chains);
  const leaf = new Int32Array(shared.length);
  const path: number[] = [];
  let next = 0;
  for (let i = 0; i < shared.length; i++) {
    path.length = shared[i] as number;
    for (let j = added[i] as number; j > 0; j--) {
      parent[next] = path.at(-1) ?? -1;
      path.push(next++);
    }
    leaf[i] = path.at(-1) ?? -1;
  }
  return { parent, leaf };
}

function namesOf(
  tables: EmbeddedTables,
): Pick<FlameProfile, 'frames' | 'threads' | 'kinds' | 'colours' | 'events' | 'groups'> {
  const file = (index: number) => tables.files[index] ?? null;
  const code = tables.frames.map(([name, kind, module, source, inlined]) => ({
    ...{ name, kind: kind as FlameFrame['kind'], inlined: inlined === 1 },
    ...{ module: file(module), source: file(source) },
  }));
  const threads = tables.threads.map(([pid, tid, comm]) => ({ pid, tid, comm }));
  const processes = processNames(threads);
  const pids = new Map([...processes.keys()].map((pid, i) => [pid, i]));
  const firstProcess = code.length + threads.length;
  const firstKind = firstProcess + processes.size;
  const names = [
    ...threads.map(({ comm, tid }) => `${comm ?? 'thread'}:${tid}`),
    ...[...processes].map(([pid, comm]) => `${comm ?? 'process'}, pid ${pid}`),
    ...tables.kinds.map(kindLabel),
    'all',
  ];
  return {
    frames: [...code, ...names.map(groupFrame)],
    ...{ threads, kinds: tables.kinds, colours: tables.colours, events: tables.events },
    groups: {
      ...{ thread: code.length, kind: firstKind, root: firstKind + tables.kinds.length },
      processOf: threads.map(({ pid }) => firstProcess + (pids.get(pid) as number)),
    },
  };
}

/** Names by pid: that of the main thread, or of any thread that has one. */
function processNames(threads: readonly FlameThread[]): Map<number, string | null> {
  const names = new Map<number, string | null>();
  for (const { pid, tid, comm } of threads)
    names.set(pid, (tid === pid ? comm : null) ?? names.get(pid) ?? comm);
  return names;
}

function groupFrame(name: string): FlameFrame {
  return { name, kind: 'group', module: null, source: null, inlined: false };
}

/** The label of a kind of time: `page fault`, `on the CPU`. */
export function kindLabel(kind: string): string {
  return kind === ON_CPU ? 'on the CPU' : kind.replaceAll('_', ' ');
}
