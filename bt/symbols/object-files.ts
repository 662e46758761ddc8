import { type BigIntStats, closeSync, fstatSync, readFileSync, statSync } from 'node:fs';
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
  /**
   * Opens the file, unless it is open already.
   *
   * @returns its key from now on: another one after its content was overwritten, because names of before do not hold
   */
  readonly see: (file: string, sighting: Sighting) => string;
  /** Ends in ` (deleted)` when the file at this path is another one, or missing; undefined when it is not known. */
  readonly path: (file: string) => string | undefined;
  readonly source: (file: string) => ByteSource | undefined;
  /** A new descriptor, for another process; the caller closes it. */
  readonly open: (file: string) => number | undefined;
  /** Whether its content was overwritten since it was seen by this key. */
  readonly isOverwritten: (file: string) => boolean;
  /** Whether we may not open it. */
  readonly isDenied: (file: string) => boolean;
  /** Whether its path leads to it from here, not only within a container. */
  readonly isHere: (file: string) => boolean;
  /** Identifies the file and its content; undefined if other users can write the file. */
  readonly identity: (file: string) => string | undefined;
  readonly close: () => void;
}

interface SeenFile {
  /** Undefined until the kernel has reported the names. */
  readonly path: string | undefined;
  /** Undefined if the file was not found, or too many are open. */
  readonly descriptor: number | undefined;
  /** The state of the content when it was found. */
  readonly content: string | undefined;
  readonly found: boolean;
  readonly denied: boolean;
  readonly tries: number;
}

export function newObjectFiles(): ObjectFiles {
  const names = new Map<string, string[]>();
  const seen = new Map<string, SeenFile>();
  /** The latest keys of files that were overwritten, by the keys by which the kernel knows them. */
  const latest = new Map<string, string>();
  let open = 0;
  let mounts: readonly Mount[] | undefined;
  const pathsByNames = (file: string): string[] => {
    mounts ??= parseMountinfo(tryRead(() => readFileSync('/proc/self/mountinfo', 'utf8')) ?? '');
    const known = names.get(originalKey(file));
    return known ? pathsOf(`/${known.toReversed().join('/')}`, originalKey(file), mounts) : [];
  };
  const pathByNames = (file: string): string | undefined => {
    const paths = pathsByNames(file);
    const found = paths.find((path) => isFile(path, file));
    // The kernel reports a limited number of names. If the limit is reached, the path may lack its beginning.
    const whole = (names.get(originalKey(file))?.length ?? 0) < LEVELS;
    return found ?? (whole && paths[0] ? `${paths[0]} (deleted)` : undefined);
  };
  /** A path that was found by names stays, even if the file is removed later. */
  const pathOf = (file: string): string | undefined => {
    const known = seen.get(file);
    const path = known?.path ?? pathByNames(file);
    if (known?.found && path && !path.endsWith(' (deleted)')) seen.set(file, { ...known, path });
    return path;
  };
  const isOverwritten = (file: string): boolean => {
    const { descriptor, content } = seen.get(file) ?? {};
    const newer = latest.get(originalKey(file));
    if (newer !== undefined && newer !== file) return true;
    return descriptor !== undefined && contentOf(descriptor) !== content;
  };
  /** The key for what the file holds now. What it held before can no longer be read, so that descriptor is closed. */
  const currentKey = (seenAs: string): string => {
    const original = originalKey(seenAs);
    const file = latest.get(original) ?? original;
    const known = seen.get(file);
    if (known?.descriptor === undefined || !isOverwritten(file)) return file;
    closeSync(known.descriptor);
    open--;
    seen.set(file, { ...known, descriptor: undefined });
    latest.set(original, nextKey(file));
    return nextKey(file);
  };
  return {
    addName: (file, level, name) => {
      if (file.endsWith(UNKNOWN_INODE)) return;
      const known = names.get(file) ?? [];
      known[level] = name;
      names.set(file, known);
    },
    see: (seenAs, { pid, path, range }) => {
      const file = currentKey(seenAs);
      const before = seen.get(file);
      if (before?.found && !before.path && path) seen.set(file, { ...before, path });
      if (before?.found || (before?.tries ?? 0) >= TRIES || file.endsWith(UNKNOWN_INODE)) return file;
      const shown = path?.replace(/ \(deleted\)$/, '');
      const ways = [...mappedWay(path, pid, range), ...waysTo(shown ? [shown] : pathsByNames(file), pid)];
      if (ways.length === 0) return file;
      const found = firstOpen(ways, file, pid);
      const content = found && contentOf(found.descriptor);
      const staysOpen = found && open < MOST_OPEN;
      if (staysOpen) open++;
      else if (found) closeSync(found.descriptor);
      seen.set(file, {
        path: found?.path ?? (shown && `${shown} (deleted)`),
        descriptor: staysOpen ? found.descriptor : undefined,
        content,
        found: found !== undefined,
        denied: !found && ways.some(({ name }) => isDenied(name)),
        tries: (before?.tries ?? 0) + 1,
      });
      return file;
    },
    path: pathOf,
    source: (file) => {
      const { descriptor } = seen.get(file) ?? {};
      if (isOverwritten(file)) return undefined;
      if (descriptor !== undefined) return sourceOf(descriptor);
      const path = seen.has(file) ? pathOf(file) : undefined;
      return path === undefined ? undefined : reopeningSource(path, file, seen.get(file)?.content);
    },
    open: (file) => {
      const { descriptor } = seen.get(file) ?? {};
      if (descriptor !== undefined) return openRegular(`/proc/self/fd/${descriptor}`);
      const path = seen.has(file) ? pathOf(file) : undefined;
      return path === undefined ? undefined : openFile({ name: path }, file);
    },
    isOverwritten,
    isDenied: (file) => seen.get(file)?.denied ?? false,
    isHere: (file) => {
      const path = pathOf(file);
      return path !== undefined && isFile(path, file);
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

/** Size and time of the last change of the content. */
function contentOf(descriptor: number): string {
  const { size, mtimeNs } = fstatSync(descriptor, { bigint: true });
  return `${size}:${mtimeNs}`;
}

/** `fe:00@2 1234` is what the file `fe:00 1234` holds after it was overwritten once. */
function nextKey(file: string): string {
  const [device = '', inode] = file.split(' ');
  const [own, turn = 1] = device.split('@');
  return `${own}@${Number(turn) + 1} ${inode}`;
}

/** The key by which the kernel knows the file. */
export function originalKey(file: string): string {
  return file.replace(/@\d+/, '');
}

/** A path that opens a file, and the path to show for it. */
interface Way {
  readonly name: string;
  readonly path?: string;
  /** Whether it leads to what a process has mapped. */
  readonly isMapped?: boolean;
}

/** The link to what a process has mapped: no other file can take its place. */
function mappedWay(path: string | undefined, pid: number, range: Sighting['range']): Way[] {
  if (!range) return [];
  const name = `/proc/${pid}/map_files/${hex(range.start)}-${hex(range.end)}`;
  return [{ name, isMapped: true, ...(path === undefined ? {} : { path }) }];
}

/** Its path, and its path in the root of the process. */
function waysTo(paths: readonly string[], pid: number): Way[] {
  return [
    ...paths.map((path) => ({ name: path, path })),
    ...paths.map((path) => ({ name: `/proc/${pid}/root${path}`, path })),
  ];
}

function firstOpen(
  ways: readonly Way[],
  file: string,
  pid: number,
): (Way & { descriptor: number }) | undefined {
  for (const way of ways) {
    const descriptor = openFile(way, file, pid);
    if (descriptor !== undefined) return { ...way, descriptor };
  }
  return undefined;
}

/**
 * The key of a file that the kernel reported.
 *
 * @param device the kernel's `dev_t`, 12 bits of major number and 20 of minor
 * @param inode past 2^53 it is not exact, and the key is that of no file
 */
export function fileKey(device: number, inode: number): string {
  return keyOf(device >>> 20, device & 0xfffff, Number.isSafeInteger(inode) ? inode : UNKNOWN_INODE);
}

const UNKNOWN_INODE = '?';

/** The key of a file that stat(2) found. */
export function fileKeyOf({ dev, ino }: Pick<BigIntStats, 'dev' | 'ino'>): string {
  return keyOf(major(dev), minor(dev), ino);
}

function keyOf(major: number, minor: number, inode: number | bigint | string): string {
  return `${hex(major).padStart(2, '0')}:${hex(minor).padStart(2, '0')} ${inode}`;
}

/** `st_dev` as glibc packs it. */
function major(device: bigint): number {
  return Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n));
}

function minor(device: bigint): number {
  return Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n));
}

function hex(n: number | bigint): string {
  return n.toString(16);
}

/** Lists the paths by which btprof can reach a file: one for each mount of its filesystem, the last mount first. */
function pathsOf(inside: string, file: string, mounts: readonly Mount[]): string[] {
  const [device] = file.split(' ');
  return mounts
    .filter((mount) => deviceOf(mount) === device)
    .filter(({ root }) => root === '/' || inside === root || inside.startsWith(`${root}/`))
    .map(
      ({ root, path }) => `${path === '/' ? '' : path}${root === '/' ? inside : inside.slice(root.length)}`,
    )
    .reverse();
}

/**
 * Opens the file only if device and inode match, because another file may have its name by now.
 *
 * @param pid the process in whose mounts it may be
 */
function openFile({ name, isMapped = false }: Way, file: string, pid?: number): number | undefined {
  return inspect(name, 0, (_, open, found) => (isThis(found, file, pid, isMapped) ? open() : undefined));
}

/**
 * On btrfs and overlayfs, stat(2) gives another device than /proc/PID/maps, which gives that of the mount. On an overlay, kernels
 * before 6.8 give the device below it there: then the device of a mapped file is not known, only its inode.
 */
function isThis(found: number, file: string, pid: number | undefined, isMapped: boolean): boolean {
  const stat = fstatSync(found, { bigint: true });
  const key = originalKey(file);
  const [device, inode] = key.split(' ');
  if (!stat.isFile() || `${stat.ino}` !== inode) return false;
  if (fileKeyOf(stat) === key) return true;
  const mount = mountOf(found, pid);
  return mount !== undefined && (deviceOf(mount) === device || (isMapped && mount.type === 'overlay'));
}

function isDenied(path: string): boolean {
  try {
    statSync(path);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES';
  }
}

/** The mount that an open file was found in, which is one of ours or of the process. */
function mountOf(descriptor: number, pid: number | undefined): Mount | undefined {
  const read = (path: string) => tryRead(() => readFileSync(path, 'utf8')) ?? '';
  const id = Number(/^mnt_id:\s+(\d+)$/m.exec(read(`/proc/self/fdinfo/${descriptor}`))?.[1]);
  const find = (who: number | 'self') =>
    parseMountinfo(read(`/proc/${who}/mountinfo`)).find((mount) => mount.id === id);
  return find('self') ?? (pid === undefined ? undefined : find(pid));
}

/** `fe:00`, as in /proc/PID/maps. */
function deviceOf({ device }: Mount): string {
  const [major = 0, minor = 0] = device.split(':').map(Number);
  return keyOf(major, minor, '').trim();
}

/** Device, inode, size and time; undefined if others than root and the own user can write the file. */
export function identityOf(path: string): string | undefined {
  const stat = tryRead(() => statSync(path, { bigint: true }));
  if (!stat || ![0, process.geteuid?.()].includes(Number(stat.uid)) || (stat.mode & 0o022n) !== 0n)
    return undefined;
  return `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}`;
}

function isFile(path: string, file: string): boolean {
  return inspect(path, 0, (_, __, found) => isThis(found, file, undefined, false)) ?? false;
}

/** Opens the file for each read, unless it was overwritten since its content was as given. */
function reopeningSource(path: string, file: string, content: string | undefined): ByteSource | undefined {
  const opened = <T>(use: (source: ByteSource) => T) => {
    const descriptor = openFile({ name: path }, file);
    const isSame = descriptor === undefined || content === undefined || contentOf(descriptor) === content;
    return readAndClose(descriptor, (source) => (isSame ? use(source) : undefined));
  };
  const size = opened((source) => source.size);
  const read = (offset: number, length: number) => opened((source) => source.read(offset, length));
  return size === undefined
    ? undefined
    : { size, read: (offset, length) => read(offset, length) ?? Buffer.alloc(0) };
}
