import { closeSync, constants, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import type { ByteSource } from '../../parsers/elf.ts';
import { type Mount, parseMountinfo } from '../../parsers/mountinfo.ts';
import { tryRead } from './procfs.ts';

/** Files that are kept open, so that they can be read when their processes and their names are gone. */
const KEPT_OPEN = 512;
/** How often a file that cannot be opened is tried again, by way of other processes. */
const TRIES = 3;

/** Where a file was seen. */
export interface Sighting {
  readonly pid: number;
  /** As in /proc/PID/maps; without it, by what names of the file are known. */
  readonly path?: string | undefined;
  /** The addresses that it is mapped at, `7f0000001000-7f0000002000`. */
  readonly range?: string | undefined;
}

/** The files whose code followed processes run, by device and inode: `fe:00 1234`, as in /proc/PID/maps. */
export interface ObjectFiles {
  /** A name on the way from a file (level 0) up to the root of its filesystem. */
  readonly addName: (file: string, level: number, name: string) => void;
  /** Opens a file that was not seen yet. */
  readonly see: (file: string, sighting: Sighting) => void;
  /** `… (deleted)` when no file of that path is this one; undefined when nothing is known of it. */
  readonly path: (file: string) => string | undefined;
  readonly source: (file: string) => ByteSource | undefined;
  readonly close: () => void;
}

interface SeenFile {
  readonly path: string;
  readonly descriptor: number | undefined;
  readonly tries: number;
}

export function newObjectFiles(): ObjectFiles {
  const names = new Map<string, string[]>();
  const seen = new Map<string, SeenFile>();
  let open = 0;
  let mounts: readonly Mount[] | undefined;
  const see = (file: string, { pid, path, range }: Sighting) => {
    const before = seen.get(file);
    if (before && (before.descriptor !== undefined || before.tries >= TRIES)) return;
    mounts ??= parseMountinfo(tryRead(() => readFileSync('/proc/self/mountinfo', 'utf8')) ?? '');
    const inside = names.get(file)?.toReversed().join('/');
    const alive = path?.replace(/ \(deleted\)$/, '');
    const places = alive ? [alive] : inside === undefined ? [] : placesOf(`/${inside}`, file, mounts);
    const ways = [
      ...places,
      ...places.map((place) => `/proc/${pid}/root${place}`),
      ...(range ? [`/proc/${pid}/map_files/${range}`] : []),
    ];
    const found = firstOpen(ways, file);
    if (places[0] === undefined && !found) return;
    const shown = found && places.includes(found.way) ? found.way : (places[0] ?? '');
    const there = found !== undefined && !found.way.includes('/map_files/');
    const kept = found && open < KEPT_OPEN;
    if (kept) open++;
    else if (found) closeSync(found.descriptor);
    seen.set(file, {
      path: there ? shown : `${shown} (deleted)`,
      descriptor: kept ? found.descriptor : undefined,
      tries: found ? TRIES : (before?.tries ?? 0) + 1,
    });
  };
  return {
    addName: (file, level, name) => {
      const known = names.get(file) ?? [];
      known[level] = name;
      names.set(file, known);
    },
    see,
    path: (file) => seen.get(file)?.path,
    source: (file) => {
      const known = seen.get(file);
      return known && sourceOf(known.descriptor ?? openFile(known.path, file));
    },
    close: () => {
      for (const { descriptor } of seen.values()) if (descriptor !== undefined) closeSync(descriptor);
      seen.clear();
    },
  };
}

function firstOpen(ways: readonly string[], file: string): { way: string; descriptor: number } | undefined {
  for (const way of ways) {
    const descriptor = openFile(way, file);
    if (descriptor !== undefined) return { way, descriptor };
  }
  return undefined;
}

/** The kernel's `dev_t`, 12 bits of major number and 20 of minor, as /proc/PID/maps prints it. */
export function fileKey(device: number, inode: number): string {
  const hex = (n: number) => n.toString(16).padStart(2, '0');
  return `${hex(device >>> 20)}:${hex(device & 0xfffff)} ${inode}`;
}

/** Where a path within a filesystem is seen by us: each mount of that filesystem is a way to it, the last one first. */
function placesOf(inside: string, file: string, mounts: readonly Mount[]): string[] {
  const [major, minor] = (file.split(' ')[0] ?? '').split(':').map((hex) => Number.parseInt(hex, 16));
  return mounts
    .filter(({ device }) => device === `${major}:${minor}`)
    .filter(({ root }) => root === '/' || inside.startsWith(`${root}/`))
    .map(
      ({ root, path }) => `${path === '/' ? '' : path}${root === '/' ? inside : inside.slice(root.length)}`,
    )
    .reverse();
}

/** Only the very file counts: another one may have its name by now. */
function openFile(path: string, file: string): number | undefined {
  // A FIFO may have the path by now, and would be waited for.
  const descriptor = tryRead(() => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
  if (descriptor === undefined) return undefined;
  const stat = tryRead(() => fstatSync(descriptor));
  if (stat?.isFile() && stat.ino === Number(file.split(' ')[1])) return descriptor;
  closeSync(descriptor);
  return undefined;
}

/** A file that is open, read where it is asked; undefined for none. */
export function sourceOf(descriptor: number | undefined): ByteSource | undefined {
  if (descriptor === undefined) return undefined;
  return {
    size: fstatSync(descriptor).size,
    read: (offset, length) => {
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, readSync(descriptor, bytes, 0, length, offset));
    },
  };
}
