import { readFile } from 'node:fs/promises';
import { executableRows } from '../../parsers/proc.ts';
import type { StreamEvent } from '../../parsers/stream.ts';
import { fileKey, type ObjectFiles } from './object-files.ts';
import type { PerfMaps } from './perf-maps.ts';
import { imageRows } from './program-image.ts';

type Event<T extends StreamEvent['type']> = Extract<StreamEvent, { type: T }>;

/** After an exec the loader maps libraries for some milliseconds; programs load more of them later. */
const READ_AFTER_MS = [0, 5, 50, 500];
/** Address spaces that are kept; the first to come are the first to be forgotten. */
const KEPT = 4096;
/** A row of executable memory of no file, or of one in memory: code that a runtime compiled. */
const COMPILED = /^\S+ ..x. \S+ \S+ (?:0 *(?:\[anon:.*)?|\d+ *\/memfd:.*)$/m;
/** The end of user space: an address beyond is an error of mmap's. */
const USER_SPACE = 2 ** 56;

/**
 * Executable rows as of /proc/PID/maps of each followed process, by `PID:GENERATION`, latest first: afterwards nothing
 * else tells which file an address belonged to. They come from the kernel's events where there is BTF, and from
 * /proc/PID/maps while a process lives. A process that forks passes its mappings on.
 */
export interface MappingCache {
  readonly onEvent: (event: StreamEvent) => void;
  readonly read: (pid: number, generation: number) => Promise<void>;
  /** Reads all that live once more and stops the timers. */
  readonly close: () => Promise<void>;
  readonly texts: () => Record<string, string>;
  /** How many address spaces were forgotten. */
  readonly forgotten: () => number;
}

/** A row without its path, when the kernel told of it: that may come later, on another CPU. */
interface Row {
  /** `7f0000001000-7f0000002000` */
  readonly range: string;
  readonly text: string;
  /** Device and inode of the file whose path is to be added. */
  readonly file?: string;
}

/** Rows by the address they start at: one that is mapped anew comes last. */
type Space = Map<string, Row>;

export function newMappingCache(
  files: ObjectFiles,
  perfMaps: Pick<PerfMaps, 'see' | 'execed'>,
): MappingCache {
  const { spaceOf, spaces, forgotten } = newSpaces();
  const generations = new Map<number, number>();
  const images = new Map<string, Event<'image'>>();
  /** Programs whose file was not known yet when they began. */
  const unknown = new Map<Event<'image'>, Event<'auxv'>>();
  const timers = new Set<NodeJS.Timeout>();

  const read = async (pid: number, generation: number) => {
    const text = await readFile(`/proc/${pid}/maps`, 'utf8').catch(() => '');
    // An exec in between would file the new program's mappings under the old one.
    if (text === '' || (generations.get(pid) ?? generation) !== generation) return;
    for (const row of executableRows(text).match(/[^\n]+\n/g) ?? [])
      addRow(spaceOf(pid, generation), procRow(row, pid, files));
    if (COMPILED.test(text)) perfMaps.see(pid, generation);
  };
  const begin = (pid: number, generation: number) => {
    if ((generations.get(pid) ?? 0) > generation) return; // told late, on another CPU
    generations.set(pid, generation);
    for (const ms of READ_AFTER_MS) {
      const timer = setTimeout(() => {
        timers.delete(timer);
        void read(pid, generation);
      }, ms);
      timers.add(timer);
    }
  };
  const addProgram = (image: Event<'image'>, auxv: Event<'auxv'>) => {
    for (const text of imageRows(image, auxv.words, files))
      addRow(spaceOf(image.pid, image.generation), procRow(text, image.pid, files));
    if (files.path(fileKey(image.device, image.inode)) === undefined) unknown.set(image, auxv);
    else unknown.delete(image);
  };
  const addUnknown = () => {
    for (const [image, auxv] of [...unknown]) addProgram(image, auxv);
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
        case 'fork':
          addUnknown();
          inherit(spaceOf(event.parent, event.generation), spaceOf(event.pid, event.generation));
          begin(event.pid, event.generation);
          return;
        case 'entry':
          inherit(spaceOf(event.pid, 1), spaceOf(event.pid, 2)); // it is named anew, and has the same program
          begin(event.pid, 2);
          return;
        case 'exit':
          if (event.pid === event.tid) generations.delete(event.pid);
          return;
        case 'path':
          files.addName(fileKey(event.device, event.inode), event.level, event.name);
          return;
        case 'image':
          images.set(`${event.pid}:${event.generation}`, event);
          return;
        case 'auxv': {
          const image = images.get(`${event.pid}:${event.generation}`);
          images.delete(`${event.pid}:${event.generation}`);
          if (image) addProgram(image, event);
          return;
        }
        case 'mapping':
          if (event.start + event.length < USER_SPACE)
            addRow(spaceOf(event.pid, event.generation), mappingRow(event, files));
          return;
      }
    },
    close: async () => {
      for (const timer of timers) clearTimeout(timer);
      await Promise.all([...generations].map(([pid, generation]) => read(pid, generation)));
    },
    texts: () => {
      addUnknown();
      return Object.fromEntries([...spaces].map(([key, space]) => [key, textOf(key, space, files)]));
    },
    forgotten,
  };
}

/** Address spaces by `PID:GENERATION`, the oldest of which make room for new ones. */
function newSpaces() {
  const spaces = new Map<string, Space>();
  let forgotten = 0;
  const spaceOf = (pid: number, generation: number): Space => {
    const key = `${pid}:${generation}`;
    const known = spaces.get(key);
    if (known) return known;
    if (spaces.size >= KEPT) {
      spaces.delete(spaces.keys().next().value as string);
      forgotten++;
    }
    const space: Space = new Map();
    spaces.set(key, space);
    return space;
  };
  return { spaces, spaceOf, forgotten: () => forgotten };
}

function addRow(space: Space, row: Row): void {
  const start = row.range.slice(0, row.range.indexOf('-'));
  space.delete(start);
  space.set(start, row);
}

/** What the child has told of itself comes after, though it may have come before, on another CPU. */
function inherit(parent: Space, child: Space): void {
  const own = [...child.values()];
  for (const row of [...parent.values(), ...own]) addRow(child, row);
}

function procRow(text: string, pid: number, files: ObjectFiles): Row {
  const [, range = '', file = '', path] = /^(\S+) \S+ \S+ (\S+ \d+) *(\/[^\n]*)?/.exec(text) ?? [];
  if (path !== undefined) files.see(file, { pid, path, range });
  return { range, text };
}

/** The kernel maps whole pages. */
const PAGE = 4096;

function mappingRow(event: Event<'mapping'>, files: ObjectFiles): Row {
  const file = fileKey(event.device, event.inode);
  const hex = (n: number) => n.toString(16);
  const end = event.start + Math.ceil(event.length / PAGE) * PAGE;
  const range = `${hex(event.start)}-${hex(end)}`;
  files.see(file, { pid: event.pid, range });
  return { range, file, text: `${range} r-xp ${hex(event.fileOffset)} ${file} ` };
}

function textOf(key: string, space: Space, files: ObjectFiles): string {
  const pid = Number.parseInt(key, 10);
  const rows = [...space.values()].reverse().map(({ range, text, file }) => {
    if (file === undefined) return text;
    files.see(file, { pid, range });
    return `${text}${files.path(file) ?? ''}\n`;
  });
  return rows.join('');
}
