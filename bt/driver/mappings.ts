import { readFile } from 'node:fs/promises';
import { executableRows } from '../../parsers/proc.ts';
import type { StreamEvent } from '../../parsers/stream.ts';
import { fileKey, type ObjectFiles } from './object-files.ts';
import { imageRows } from './program-image.ts';

type Event<T extends StreamEvent['type']> = Extract<StreamEvent, { type: T }>;

/** After an exec the loader maps libraries for some milliseconds; programs load more of them later. */
const READ_AFTER_MS = [0, 5, 50, 500];
/** Address spaces that are kept; the first to come are the first to be forgotten. */
const KEPT = 4096;
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

/** Rows by the address they start at: one that is mapped anew comes last. */
type Rows = Map<string, string>;

export function newMappingCache(files: ObjectFiles): MappingCache {
  const spaces = new Map<string, Rows>();
  const generations = new Map<number, number>();
  const images = new Map<string, Event<'image'>>();
  const timers = new Set<NodeJS.Timeout>();
  let forgotten = 0;

  const spaceOf = (pid: number, generation: number): Rows => {
    const key = `${pid}:${generation}`;
    const rows = spaces.get(key) ?? new Map<string, string>();
    if (!spaces.has(key) && spaces.size >= KEPT) {
      spaces.delete(spaces.keys().next().value as string);
      forgotten++;
    }
    spaces.set(key, rows);
    return rows;
  };
  const add = (pid: number, generation: number, rows: readonly string[]) => {
    const space = spaceOf(pid, generation);
    for (const row of rows) {
      const start = row.slice(0, row.indexOf('-'));
      space.delete(start);
      space.set(start, row);
      const [, range, file, path] = /^(\S+) \S+ \S+ (\S+ \d+) *(\/[^\n]*)?/.exec(row) ?? [];
      if (file !== undefined && path !== undefined) files.see(file, { pid, path, range });
    }
  };
  const read = async (pid: number, generation: number) => {
    const text = await readFile(`/proc/${pid}/maps`, 'utf8').catch(() => '');
    // An exec in between would file the new program's mappings under the old one.
    if (text !== '' && (generations.get(pid) ?? generation) === generation)
      add(pid, generation, executableRows(text).match(/[^\n]+\n/g) ?? []);
  };
  const schedule = (pid: number, generation: number) => {
    generations.set(pid, generation);
    for (const ms of READ_AFTER_MS) {
      const timer = setTimeout(() => {
        timers.delete(timer);
        void read(pid, generation);
      }, ms);
      timers.add(timer);
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
          schedule(event.pid, event.generation);
          return;
        case 'fork': {
          const inherited = spaces.get(`${event.parent}:${event.generation}`) ?? [];
          const child = spaceOf(event.pid, event.generation);
          const own = [...child]; // told before, on another CPU
          for (const [start, row] of [...inherited, ...own]) {
            child.delete(start);
            child.set(start, row);
          }
          schedule(event.pid, event.generation);
          return;
        }
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
          if (image) add(event.pid, event.generation, imageRows(image, event.words, files));
          return;
        }
        case 'mapping':
          if (event.start + event.length < USER_SPACE)
            add(event.pid, event.generation, [mappingRow(event, files)]);
          return;
      }
    },
    close: async () => {
      for (const timer of timers) clearTimeout(timer);
      await Promise.all([...generations].map(([pid, generation]) => read(pid, generation)));
    },
    texts: () =>
      Object.fromEntries(
        [...spaces].map(([key, rows]) => [
          key,
          [...rows.values()]
            .reverse()
            .map((row) => withPath(row, Number.parseInt(key, 10), files))
            .join(''),
        ]),
      ),
    forgotten: () => forgotten,
  };
}

/** Without its path, of which the kernel may tell later, on another CPU. */
function mappingRow(event: Event<'mapping'>, files: ObjectFiles): string {
  const file = fileKey(event.device, event.inode);
  const hex = (n: number) => n.toString(16);
  const range = `${hex(event.start)}-${hex(event.start + event.length)}`;
  files.see(file, { pid: event.pid, range });
  return `${range} r-xp ${hex(event.fileOffset)} ${file} \n`;
}

/** Gives a row of the kernel's events the path of its file. */
function withPath(row: string, pid: number, files: ObjectFiles): string {
  const [, range, file] = /^(\S+) r-xp \S+ (\S+ \d+) \n$/.exec(row) ?? [];
  if (file === undefined) return row;
  files.see(file, { pid, range });
  return row.replace(/\n$/, `${files.path(file) ?? ''}\n`);
}
