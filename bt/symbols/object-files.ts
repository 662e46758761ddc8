import { closeSync, readFileSync, type Stats, statSync } from 'node:fs';
import type { ByteSource } from '../../parsers/elf-types.ts';
import { type Mount, parseMountinfo } from '../../parsers/mountinfo.ts';
import type { Mapping } from '../../parsers/proc.ts';
import { tryRead } from '../driver/procfs.ts';
import { LEVELS } from '../mapping-events.ts';
import { inspect, openRegular, readAndClose, sourceOf } from './plain-files.ts';

/** Maximum number of open files. They stay open so that they can be read after their processes and names are gone. */
const MOST_OPEN = 512;
/** How often to try to open a file, through different processes. */
const TRIES = 3;

/** Where a file was seen. */
export interface Sighting {
  readonly pid: number;
  /** As in /proc/PID/maps. If undefined, the names that the kernel reported are used. */
  readonly path?: string | undefined;
  /** The addresses that it is mapped at. */
  readonly range?: Pick<Mapping, 'start' | 'end'> | undefined;
}

/** The files with the code of followed processes, by device and inode: `fe:00 1234`, as in /proc/PID/maps. */
export interface ObjectFiles {
  /** A name on the way from a file (level 0) up to the root of its filesystem. */
  readonly addName: (file: string, level: number, name: string) => void;
  /** Opens the file, unless it is open already. */
  readonly see: (file: string, sighting: Sighting) => void;
  /** Ends in ` (deleted)` when the file at this path is another one, or missing; undefined when it is not known. */
  readonly path: (file: string) => string | undefined;
  readonly source: (file: string) => ByteSource | undefined;
  /** A new descriptor, for another process; the caller closes it. */
  readonly open: (file: string) => number | undefined;
  /** Identifies the file and its content; undefined if other users can write the file. */
  readonly identity: (file: string) => string | undefined;
  readonly close: () => void;
}

interface SeenFile {
  /** Undefined until the kernel has reported the names. */
  readonly path: string | undefined;
  /** Undefined if the file was not found, or too many are open. */
  readonly descriptor: number | undefined;
  readonly found: boolean;
  readonly tries: number;
}

export function newObjectFiles(): ObjectFiles {
  const names = new Map<string, string[]>();
  const seen = new Map<string, SeenFile>();
  let open = 0;
  let mounts: readonly Mount[] | undefined;
  const pathsByNames = (file: string): string[] => {
    mounts ??= parseMountinfo(tryRead(() => readFileSync('/proc/self/mountinfo', 'utf8')) ?? '');
    const known = names.get(file);
    return known ? pathsOf(`/${known.toReversed().join('/')}`, file, mounts) : [];
  };
  const pathByNames = (file: string): string | undefined => {
    const paths = pathsByNames(file);
    const found = paths.find((path) => isFile(path, file));
    // The kernel reports a limited number of names. If the limit is reached, the path may lack its beginning.
    const whole = (names.get(file)?.length ?? 0) < LEVELS;
    return found ?? (whole && paths[0] ? `${paths[0]} (deleted)` : undefined);
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
      const shown = path?.replace(/ \(deleted\)$/, '');
      const ways = waysTo(shown ? [shown] : pathsByNames(file), pid, range);
      if (ways.length === 0) return;
      const found = firstOpen(ways, file);
      const staysOpen = found && open < MOST_OPEN;
      if (staysOpen) open++;
      else if (found) closeSync(found.descriptor);
      seen.set(file, {
        path: found?.path ?? (shown && `${shown} (deleted)`),
        descriptor: staysOpen ? found.descriptor : undefined,
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

/** A path that opens a file, and the path to show for it. */
interface Way {
  readonly name: string;
  readonly path?: string;
}

/** Its path, its path in the root of the process, and the link to what the process has mapped. */
function waysTo(paths: readonly string[], pid: number, range: Sighting['range']): Way[] {
  return [
    ...paths.map((path) => ({ name: path, path })),
    ...paths.map((path) => ({ name: `/proc/${pid}/root${path}`, path })),
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

/** Lists the paths by which btprof can reach a file: one for each mount of its filesystem, the last mount first. */
function pathsOf(inside: string, file: string, mounts: readonly Mount[]): string[] {
  const [major, minor] = (file.split(' ')[0] ?? '').split(':').map((hex) => Number.parseInt(hex, 16));
  return mounts
    .filter(({ device }) => device === `${major}:${minor}`)
    .filter(({ root }) => root === '/' || inside === root || inside.startsWith(`${root}/`))
    .map(
      ({ root, path }) => `${path === '/' ? '' : path}${root === '/' ? inside : inside.slice(root.length)}`,
    )
    .reverse();
}

/** Opens the file only if device and inode match, because another file may have its name by now. */
function openFile(path: string, file: string): number | undefined {
  return inspect(path, 0, (stat, open) => (isThis(stat, file) ? open() : undefined));
}

function isThis(stat: Stats, file: string): boolean {
  return stat.isFile() && stat.ino === Number(file.split(' ')[1]);
}

/** Device, inode, size and time; undefined if others than root and the own user can write the file. */
export function identityOf(path: string): string | undefined {
  const stat = tryRead(() => statSync(path, { bigint: true }));
  if (!stat || ![0, process.geteuid?.()].includes(Number(stat.uid)) || (stat.mode & 0o022n) !== 0n)
    return undefined;
  return `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}`;
}

function isFile(path: string, file: string): boolean {
  const stat = tryRead(() => statSync(path));
  return stat !== undefined && isThis(stat, file);
}

/** Opens the file for each read. */
function reopeningSource(path: string, file: string): ByteSource | undefined {
  const opened = <T>(use: (source: ByteSource) => T) => readAndClose(openFile(path, file), use);
  const size = opened((source) => source.size);
  const read = (offset: number, length: number) => opened((source) => source.read(offset, length));
  return size === undefined
    ? undefined
    : { size, read: (offset, length) => read(offset, length) ?? Buffer.alloc(0) };
}
