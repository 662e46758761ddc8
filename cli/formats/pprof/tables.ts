import { Line, Location, Mapping, Function as PprofFunction } from 'pprof-format';
import type { StackFrame } from '../../../metrics/timed-stacks.ts';

/** Gives the index of a string in the string table of the file. */
export type StringIndex = (string: string) => number;

/** The tables that samples of a pprof file point into, which grow as stacks are added. */
export interface Tables {
  readonly location: Location[];
  readonly function: PprofFunction[];
  /** That of the executable first, as pprof expects. */
  readonly mapping: () => Mapping[];
  /**
   * @param frames root first
   * @returns ids of their locations, leaf first: one for each place in the code, with the functions inlined there
   */
  readonly locationsOf: (frames: readonly StackFrame[]) => number[];
}

/** @param executable its path: what pprof names the profile after, also where no frame is in it */
export function newTables(executable: string | null, text: StringIndex): Tables {
  const mappings = newMappings(executable, text);
  const functions = newFunctions(text);
  const { rows, idOf, noStack } = newLocations(mappings, functions);
  return {
    ...{ location: rows, function: functions.rows, mapping: mappings.rows },
    // pprof leaves out samples that are nowhere.
    locationsOf: (frames) => (frames.length > 0 ? placesOf(frames).map(idOf) : [noStack()]),
  };
}

function newLocations(mappings: Mappings, { linesOf, lineOf }: Functions) {
  const { rows, idOf } = numbered<Location>();
  const add = ({ frames, isCaller }: CodeLocation): number => {
    const address = addressOf(frames[0].frame, isCaller);
    const mappingId = mappings.idOf(frames);
    const line = linesOf(frames);
    const key = `${mappingId} ${address} ${line.map(({ functionId }) => functionId).join(' ')}`;
    return idOf(key, (id) => new Location({ id, mappingId, address, line }));
  };
  // A frame is one object wherever it stands, and what it is inlined into is always the same.
  const known = { called: new Map<StackFrame, number>(), caller: new Map<StackFrame, number>() };
  return {
    rows,
    noStack: () => idOf('', (id) => new Location({ id, line: [lineOf(NO_STACK)] })),
    idOf: (place: CodeLocation): number => {
      const ids = place.isCaller ? known.caller : known.called;
      const id = ids.get(place.frames[0]) ?? add(place);
      ids.set(place.frames[0], id);
      return id;
    },
  };
}

const NO_STACK = '[no stack]';

/** A place in the code. */
interface CodeLocation {
  /** The functions that are inlined there, the innermost first, and last the one that they are part of. */
  readonly frames: readonly [StackFrame, ...StackFrame[]];
  readonly isCaller: boolean;
}

/** Leaf first. */
function placesOf(frames: readonly StackFrame[]): CodeLocation[] {
  const places: [StackFrame, ...StackFrame[]][] = [];
  let inner: StackFrame | undefined;
  for (const frame of frames.toReversed()) {
    const within = inner?.frame.inlined && inner.frame.address === frame.frame.address;
    if (within) places.at(-1)?.push(frame);
    else places.push([frame]);
    inner = frame;
  }
  return places.map((of, i) => ({ frames: of, isCaller: places[i - 1]?.[0].kind === of[0].kind }));
}

/** Callers have the address that they are returned to, which may be that of another line or function. */
function addressOf({ address }: StackFrame['frame'], isCaller: boolean): bigint {
  const at = BigInt(address);
  return isCaller && at > 0n ? at - 1n : at;
}

function newFunctions(text: StringIndex) {
  const { rows, idOf } = numbered<PprofFunction>();
  const lineOf = (name: string, file = '', line = 0): Line => {
    const named = { name: text(name), systemName: text(name), filename: text(file) };
    const functionId = idOf(`${name}\0${file}`, (id) => new PprofFunction({ id, ...named, startLine: 0 }));
    return new Line({ functionId, line });
  };
  /** None for a function whose name is not known: pprof may find it. */
  const linesOf = (frames: readonly StackFrame[]): Line[] =>
    frames.flatMap(({ frame: { symbol, file, line } }) =>
      symbol === null ? [] : [lineOf(symbol, file ?? undefined, line ?? undefined)],
    );
  return { rows, lineOf, linesOf };
}

type Functions = ReturnType<typeof newFunctions>;

/** What a file or the kernel is mapped to, and whether all is known of each of its frames. */
interface KnownMapping {
  readonly id: number;
  readonly path: string;
  readonly range: { readonly memoryStart: bigint; readonly memoryLimit: bigint; readonly fileOffset: number };
  readonly buildId: string;
  functions: boolean;
  files: boolean;
  lines: boolean;
  inlined: boolean;
}

function newMappings(executable: string | null, text: StringIndex) {
  const { rows, idOf } = numbered<KnownMapping>();
  const newMapping = (id: number, { frame: { module }, mapping }: StackFrame): KnownMapping => ({
    ...{ id, path: mapping?.path ?? module ?? '', buildId: mapping?.build_id ?? '' },
    range: {
      memoryStart: BigInt(mapping?.start ?? 0),
      memoryLimit: BigInt(mapping?.end ?? 0),
      fileOffset: mapping?.file_offset ?? 0,
    },
    ...{ functions: true, files: true, lines: true, inlined: true },
  });
  return {
    rows: () => mainFirst(rows, executable).map((row) => pprofMapping(row, text)),
    /** Of that of the frames of a place; 0 when it is in none, as compiled code. */
    idOf: (frames: CodeLocation['frames']): number => {
      const [of] = frames;
      if (!of.mapping && of.frame.module === null) return 0;
      const key = of.mapping ? Object.values(of.mapping).join('\0') : `${of.frame.module}`;
      const id = idOf(key, (fresh) => newMapping(fresh, of));
      for (const frame of frames) note(rows[id - 1] as KnownMapping, frame);
      return id;
    },
  };
}

type Mappings = ReturnType<typeof newMappings>;

/** pprof takes the first mapping for that of the program. */
function mainFirst(mappings: readonly KnownMapping[], executable: string | null): KnownMapping[] {
  const rank = ({ path }: KnownMapping) => (path === executable ? 0 : path.startsWith('[') ? 2 : 1);
  const ranked = [...mappings].sort((a, b) => rank(a) - rank(b));
  const isMissing = executable !== null && !mappings.some(({ path }) => path === executable);
  return isMissing ? [unseen(mappings.length + 1, executable), ...ranked] : ranked;
}

function unseen(id: number, path: string): KnownMapping {
  const range = { memoryStart: 0n, memoryLimit: 0n, fileOffset: 0 };
  return { id, path, range, buildId: '', functions: false, files: false, lines: false, inlined: false };
}

function note(mapping: KnownMapping, { frame: { symbol, file, line } }: StackFrame): void {
  mapping.functions &&= symbol !== null;
  mapping.files &&= typeof file === 'string';
  mapping.lines &&= typeof line === 'number';
  mapping.inlined &&= file !== undefined;
}

/** With any of these marks, pprof looks for no names there: where one is missing none may be set. */
function pprofMapping({ id, path, range, buildId, ...all }: KnownMapping, text: StringIndex): Mapping {
  return new Mapping({
    ...{ id, ...range, filename: text(path), buildId: text(buildId) },
    hasFunctions: all.functions,
    hasFilenames: all.functions && all.files,
    hasLineNumbers: all.functions && all.lines,
    hasInlineFrames: all.functions && all.inlined,
  });
}

interface Numbered<T> {
  readonly rows: T[];
  /** The number of the row with that key, which is made when there is none. */
  readonly idOf: (key: string, make: (id: number) => T) => number;
}

/** Rows whose numbers begin at 1: 0 is none. */
function numbered<T>(): Numbered<T> {
  const rows: T[] = [];
  const ids = new Map<string, number>();
  const idOf = (key: string, make: (id: number) => T): number => {
    const id = ids.get(key) ?? rows.push(make(rows.length + 1));
    ids.set(key, id);
    return id;
  };
  return { rows, idOf };
}
