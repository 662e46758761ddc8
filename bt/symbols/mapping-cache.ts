import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AddressSpaces } from '../../metrics/mappings.ts';
import { isMemory, type Mapping, parseMaps } from '../../parsers/proc.ts';
import type { StreamEvent } from '../../parsers/stream.ts';
import {
  type Execution,
  executionKey,
  MOST_SPACES,
  type NewMapping,
  newSpaceStore,
} from './address-spaces.ts';
import { newMovedCode } from './moved-code.ts';
import { fileKey, type ObjectFiles } from './object-files.ts';
import type { PerfMaps } from './perf-maps.ts';
import { imageMappings, isImageKnown } from './program-image.ts';

type Event<T extends StreamEvent['type']> = Extract<StreamEvent, { type: T }>;

/**
 * After an exec the loader maps libraries for some milliseconds. Programs load more of them later, and a runtime begins
 * to compile after 50 ms or, on a busy machine, much later: its process may end soon after that.
 */
const READ_AFTER_MS = [0, 5, 50, 100, 200, 300, 500];
/** Maximum bytes that are read of /proc/PID/maps. A large program has 1 MB, and any process may have 250 MB. */
const MOST_MAPS_BYTES = 32 * 2 ** 20;
/** How long the next process waits for the maps of one. */
const PATIENCE_MS = 2000;
/** How many mappings of a process without a file are compared with the file that was there. */
const MOST_COMPARED = 16;
/** The end of user space: an address beyond it is an error code of mmap. */
const USER_SPACE = 2 ** 56;
/** The kernel maps whole pages. */
const PAGE = 4096;

/**
 * Remembers the executable mappings of each followed process: after its end, nothing else shows which file an address
 * belonged to. They come from kernel events if there is BTF, and from /proc/PID/maps while a process lives. A forked
 * process inherits those of its parent.
 */
export interface MappingCache {
  readonly onEvent: (event: StreamEvent) => void;
  readonly read: (pid: number, generation: number) => Promise<void>;
  /** Reads all live processes once more and stops the timers. */
  readonly close: () => Promise<void>;
  /** A snapshot. An address space that has not changed is the same array as before. */
  readonly spaces: () => AddressSpaces;
  /** How many address spaces were discarded. */
  readonly forgotten: () => number;
}

/** What the kernel reports when a program begins. */
interface Beginning {
  readonly image: Event<'image'>;
  readonly auxv: Event<'auxv'>;
}

export function newMappingCache(
  files: ObjectFiles,
  perfMaps: Pick<PerfMaps, 'see' | 'execed' | 'forked'>,
): MappingCache {
  /** The program that each live process runs. */
  const generations = new Map<number, number>();
  const isAlive = ({ pid, generation }: Execution) => generations.get(pid) === generation;
  const store = newSpaceStore(files, isAlive);
  const findMovedCode = newMovedCode(files);
  const images = new Map<string, Event<'image'>>();
  /** Programs whose file was not known yet when they began. */
  const waiting = new Map<string, Beginning>();
  const timers = new Set<NodeJS.Timeout>();

  const copy = newCopies();
  /** One at a time, because their texts may be large. The next one does not wait for a process that does not answer. */
  let reading: Promise<void> = Promise.resolve();
  const read = (pid: number, generation: number): Promise<void> => {
    reading = reading.then(() =>
      Promise.race([readNow(pid, generation), sleep(PATIENCE_MS, undefined, { ref: false })]),
    );
    return reading;
  };
  const readNow = async (pid: number, generation: number) => {
    const text = await readMaps(pid);
    if (text === '' && isAlive({ pid, generation })) generations.delete(pid);
    // An exec in between would file the new program's mappings under the old one.
    if (text === '' || (generations.get(pid) ?? generation) !== generation) return;
    const mappings = parseMaps(text).map((m) => ({ ...m, file: copy(m.file), path: copy(m.path) }));
    const moved = await movedIn(pid, generation, mappings);
    // An exec meanwhile, or the end of the process, would file them under the wrong program.
    if ((generations.get(pid) ?? generation) !== generation) return;
    for (const mapping of mappings) add({ pid, generation }, moved.get(mapping) ?? mapping);
    if (mappings.some(isCompiledCode)) perfMaps.see(pid, generation);
  };
  /** Finds memory that holds the code of a file that was mapped there, with the part of that file. */
  const movedIn = async (pid: number, generation: number, mappings: readonly Mapping[]) => {
    const moved = new Map<Mapping, Mapping>();
    for (const memory of mappings.filter(isCompiledCode).slice(0, MOST_COMPARED)) {
      const before = store.fileAt({ pid, generation }, memory);
      const same = before && (await findMovedCode(pid, memory, before));
      if (same) moved.set(memory, same);
    }
    return moved;
  };
  const add = ({ pid, generation }: Execution, mapping: Mapping) => {
    const { path } = mapping;
    const file = path.startsWith('/') ? files.see(mapping.file, { pid, path, range: mapping }) : mapping.file;
    store.add(pid, generation, { ...mapping, file });
  };
  const begin = (pid: number, generation: number) => {
    if ((generations.get(pid) ?? 0) > generation) return; // it comes late, from another CPU
    generations.set(pid, generation);
    for (const ms of READ_AFTER_MS) {
      const timer = setTimeout(() => {
        timers.delete(timer);
        void read(pid, generation);
      }, ms);
      timers.add(timer);
    }
  };
  const addProgram = (beginning: Beginning) => {
    const { image, auxv } = beginning;
    for (const mapping of imageMappings(image, auxv.words, files)) add(image, mapping);
    if (!isImageKnown(image, files)) setBounded(waiting, executionKey(image), beginning);
  };
  /** Adds the code of programs whose file has become known. */
  const addWaiting = (keys: Iterable<string>) => {
    for (const key of [...keys]) {
      const beginning = waiting.get(key);
      if (!beginning || !isImageKnown(beginning.image, files)) continue;
      waiting.delete(key);
      addProgram(beginning);
    }
  };

  return {
    read: (pid, generation) => {
      generations.set(pid, generation);
      return read(pid, generation);
    },
    onEvent: (event) => {
      switch (event.type) {
        case 'exec':
          perfMaps.execed(event.pid, event.generation);
          begin(event.pid, event.generation);
          return;
        case 'fork': {
          const parent = { pid: event.parent, generation: event.generation };
          addWaiting([executionKey(parent)]);
          store.inherit(parent, event);
          perfMaps.forked(event.parent, event.pid, event.generation);
          begin(event.pid, event.generation);
          return;
        }
        case 'entry': // from now on it is generation 2, and still the same program
          store.inherit({ pid: event.pid, generation: 1 }, { pid: event.pid, generation: 2 });
          begin(event.pid, 2);
          return;
        case 'exit':
          if (event.pid === event.tid) generations.delete(event.pid);
          return;
        case 'path':
          files.addName(fileKey(event.device, event.inode), event.level, event.name);
          return;
        case 'image':
          setBounded(images, executionKey(event), event);
          return;
        case 'auxv': {
          const image = images.get(executionKey(event));
          images.delete(executionKey(event));
          if (image) addProgram({ image, auxv: event });
          return;
        }
        case 'mapping':
          if (event.start + event.length < USER_SPACE) {
            const mapping = mappingOf(event);
            const file = files.see(mapping.file, { pid: event.pid, range: mapping });
            store.add(event.pid, event.generation, { ...mapping, file });
          }
          return;
      }
    },
    close: async () => {
      for (const timer of timers) clearTimeout(timer);
      await Promise.all([...generations].map(([pid, generation]) => read(pid, generation)));
    },
    spaces: () => {
      addWaiting(waiting.keys());
      return store.spaces();
    },
    forgotten: store.forgotten,
  };
}

/** Empty for a process that is gone. The last row may be cut. */
async function readMaps(pid: number): Promise<string> {
  let file: FileHandle | undefined;
  try {
    file = await open(`/proc/${pid}/maps`);
    const chunks: Buffer[] = [];
    for (let length = 0; length < MOST_MAPS_BYTES; ) {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(MAPS_CHUNK), 0, MAPS_CHUNK);
      if (bytesRead === 0) break;
      chunks.push(buffer.subarray(0, bytesRead));
      length += bytesRead;
    }
    return Buffer.concat(chunks).toString('utf8');
  } catch {
    return '';
  } finally {
    await file?.close();
  }
}

/** The kernel returns at most a page at a time. */
const MAPS_CHUNK = 4096;

/** Maximum number of copied texts. */
const MOST_COPIES = 10_000;

/**
 * Makes copies of short texts, one of each: V8 keeps the whole text of which a string is a part, and that is the maps of a process.
 */
function newCopies(): (text: string) => string {
  const copies = new Map<string, string>();
  return (text) => {
    const known = copies.get(text);
    if (known !== undefined) return known;
    if (copies.size >= MOST_COPIES) copies.clear();
    const copy = Buffer.from(text).toString();
    copies.set(copy, copy);
    return copy;
  };
}

/** Tells whether a mapping is JIT-compiled code: executable memory without a file, or with a file in memory only. */
function isCompiledCode({ path }: Mapping): boolean {
  return path === '' || path.startsWith('[anon:') || isMemory(path);
}

/**
 * Sets an entry and removes the oldest ones. One event of a pair may be lost; the other must not wait for it forever.
 */
function setBounded<T>(map: Map<string, T>, key: string, value: T): void {
  if (map.size >= MOST_SPACES && !map.has(key)) map.delete(map.keys().next().value as string);
  map.set(key, value);
}

function mappingOf({ start, length, fileOffset, device, inode }: Event<'mapping'>): NewMapping {
  return {
    start: BigInt(start),
    end: BigInt(start + Math.ceil(length / PAGE) * PAGE),
    fileOffset: BigInt(fileOffset),
    file: fileKey(device, inode),
    path: undefined,
  };
}
