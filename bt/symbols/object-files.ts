import { closeSync, constants, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import type { ByteSource } from '../../parsers/elf.ts';
import { type Mount, parseMountinfo } from '../../parsers/mountinfo.ts';
import type { Mapping } from '../../parsers/proc.ts';
import { tryRead } from '../driver/procfs.ts';
import { LEVELS } from '../mapping-events.ts';

/** Files that are kept open, so that they can be read when their processes and their names are gone. */
const KEPT_OPEN = 512;
/** How often a file that cannot be opened is tried again, by way of other processes. */
const TRIES = 3;

/** Where a file was seen. */
export interface Sighting {
  readonly pid: number;
  /** As in /proc/PID/maps; without it, by what names of the file are known. */
  readonly path?: string | undefined;
  /** The addresses that it is mapped at. */
  readonly range?: Pick<Mapping, 'start' | 'end'> | undefined;
}

/** The files whose code followed processes run, by device and inode: `fe:00 1234`, as in /proc/PID/maps. */
export interface ObjectFiles {
  /** A name on the way from a file (level 0) up to the root of its filesystem. */
  readonly addName: (file: string, level: number, name: string) => void;
  /** Opens a file that was not opened yet. */
  readonly see: (file: string, sighting: Sighting) => void;
  /** `… (deleted)` when no file of that path is this one; undefined when it is not known. */
  readonly path: (file: string) => string | undefined;
  readonly source: (file: string) => ByteSource | undefined;
  /** A descriptor of its own for another process, which is to be closed. */
  readonly open: (file: string) => number | undefined;
  /** What tells this very file, as it is now, from all others; undefined when others can have written it. */
  readonly identity: (file: string) => string | undefined;
  readonly close: () => void;
}

interface SeenFile {
  /** Undefined until it is told, by names. */
  readonly path: string | undefined;
  /** None when there are too many open files already, or it was not found. */
  readonly descriptor: number | undefined;
  readonly found: boolean;
  readonly tries: number;
}

export function newObjectFiles(): ObjectFiles {
  const names = new Map<string, string[]>();
  const seen = new Map<string, SeenFile>();
  let open = 0;
  let mounts: readonly Mount[] | undefined;
  const placesByNames = (file: string): string[] => {
    mounts ??= parseMountinfo(tryRead(() => readFileSync('/proc/self/mountinfo', 'utf8')) ?? '');
    const known = names.get(file);
    return known ? placesOf(`/${known.toReversed().join('/')}`, file, mounts) : [];
  };
  const pathByNames = (file: string): string | undefined => {
    const places = placesByNames(file);
    const there = places.find((place) => isFile(place, file));
    // With as many names as are told there may be more of them: the end of a path is no path.
    const whole = (names.get(file)?.length ?? 0) < LEVELS;
    return there ?? (whole && places[0] ? `${places[0]} (deleted)` : undefined);
  };
  return {
    addName: (file, level, name) => {
      const known = names.get(file) ?? [];
      known[level] = name;
      names.set(file, known);
    },
    see: (file, { pid, path, range }) => {
      const before = seen.get(file);
      if (before?.found || (before?.tries ?? 0) >= TRIES) return;
      const told = path?.replace(/ \(deleted\)$/, '');
      const ways = waysTo(told ? [told] : placesByNames(file), pid, range);
      if (ways.length === 0) return;
      const found = firstOpen(ways, file);
      const kept = found && open < KEPT_OPEN;
      if (kept) open++;
      else if (found) closeSync(found.descriptor);
      seen.set(file, {
        path: found?.path ?? (told && `${told} (deleted)`),
        descriptor: kept ? found.descriptor : undefined,
        found: found !== undefined,
        tries: (before?.tries ?? 0) + 1,
      });
    },
    path: (file) => seen.get(file)?.path ?? pathByNames(file),
    source: (file) => {
      const { descriptor, path } = seen.get(file) ?? {};
      if (descriptor !== undefined) return sourceOf(descriptor);
      return path === undefined ? undefined : reopeningSource(path, file);
    },
    open: (file) => {
      const { descriptor, path } = seen.get(file) ?? {};
      if (descriptor !== undefined) return openRegular(`/proc/self/fd/${descriptor}`);
      return path === undefined ? undefined : openFile(path, file);
    },
    identity: (file) => {
      const { descriptor } = seen.get(file) ?? {};
      return descriptor === undefined ? undefined : identityOf(`/proc/self/fd/${descriptor}`);
    },
    close: () => {
      for (const { descriptor } of seen.values()) if (descriptor !== undefined) closeSync(descriptor);
      seen.clear();
    },
  };
}

/** A name by which a file can be opened, and the path that it shows. */
interface Way {
  readonly name: string;
  readonly path?: string;
}

/** By its path, by that in the root of its process, and by where the process has it mapped. */
function waysTo(places: readonly string[], pid: number, range: Sighting['range']): Way[] {
  return [
    ...places.map((path) => ({ name: path, path })),
    ...places.map((path) => ({ name: `/proc/${pid}/root${path}`, path })),
    ...(range ? [{ name: `/proc/${pid}/map_files/${hex(range.start)}-${hex(range.end)}` }] : []),
  ];
}

function firstOpen(ways: readonly Way[], file: string): (Way & { descriptor: number }) | undefined {
  for (const way of ways) {
    const descriptor = openFile(way.name, file);
    if (descriptor !== undefined) return { ...way, descriptor };
  }
  return undefined;
}

/** The kernel's `dev_t`, 12 bits of major number and 20 of minor, as /proc/PID/maps prints it. */
export function fileKey(device: number, inode: number): string {
  const [major, minor] = [device >>> 20, device & 0xfffff].map((n) => hex(n).padStart(2, '0'));
  return `${major}:${minor} ${inode}`;
}

function hex(n: number | bigint): string {
  return n.toString(16);
}

/** Where a path within a filesystem is seen by us: each mount of that filesystem is a way to it, the last one first. */
function placesOf(inside: string, file: string, mounts: readonly Mount[]): string[] {
  const [major, minor] = (file.split(' ')[0] ?? '').split(':').map((hex) => Number.parseInt(hex, 16));
  return mounts
    .filter(({ device }) => device === `${major}:${minor}`)
    .filter(({ root }) => root === '/' || inside === root || inside.startsWith(`${root}/`))
    .map(
      ({ root, path }) => `${path === '/' ? '' : path}${root === '/' ? inside : inside.slice(root.length)}`,
    )
    .reverse();
}

/** Only the very file counts: another one may have its name by now. */
function openFile(path: string, file: string): number | undefined {
  const descriptor = openRegular(path);
  if (descriptor === undefined || fstatSync(descriptor).ino === Number(file.split(' ')[1])) return descriptor;
  closeSync(descriptor);
  return undefined;
}

/** A file of bytes: a FIFO of that name would be waited for. */
export function openRegular(path: string): number | undefined {
  const descriptor = tryRead(() => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
  if (descriptor === undefined || fstatSync(descriptor).isFile()) return descriptor;
  closeSync(descriptor);
  return undefined;
}

/** Device, inode, size and time of a file that only root, and the user we run as, can have written. */
export function identityOf(path: string): string | undefined {
  const stat = tryRead(() => statSync(path, { bigint: true }));
  if (!stat || ![0, process.geteuid?.()].includes(Number(stat.uid)) || (stat.mode & 0o022n) !== 0n)
    return undefined;
  return `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}`;
}

function isFile(path: string, file: string): boolean {
  const descriptor = openFile(path, file);
  if (descriptor !== undefined) closeSync(descriptor);
  return descriptor !== undefined;
}

/** A file that is opened for each read. */
function reopeningSource(path: string, file: string): ByteSource | undefined {
  const opened = <T>(use: (source: ByteSource) => T): T | undefined => {
    const descriptor = openFile(path, file);
    const source = sourceOf(descriptor);
    try {
      return source && use(source);
    } finally {
      if (descriptor !== undefined) closeSync(descriptor);
    }
  };
  const size = opened((source) => source.size);
  const read = (offset: number, length: number) => opened((source) => source.read(offset, length));
  return size === undefined
    ? undefined
    : { size, read: (offset, length) => read(offset, length) ?? Buffer.alloc(0) };
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
