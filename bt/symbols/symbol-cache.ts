import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  futimesSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { packSymbols, unpackSymbols } from '../../parsers/packed-symbols.ts';
import type { SymbolTable } from '../../parsers/symbol-table.ts';
import { tryRead } from '../driver/procfs.ts';

/** Maximum bytes of one file and of all files. The least recently used files are removed. */
const LARGEST = 64 * 2 ** 20;
const MOST = 256 * 2 ** 20;
/** With fewer ranges, reading the object takes no longer than reading the cache. */
const WORTH = 1000;
/** Age at which an unfinished file is removed because its writer must have died. */
const ABANDONED_MS = 3600_000;
/** Names of files that btprof writes, finished or not. */
const OURS = /^[0-9a-f]+-[0-9a-f]+(\.[0-9a-f]+\.tmp)?$/;
/** Write permission of the group and of others. */
const OTHERS_WRITE = 0o022;

/** Symbol tables of earlier runs, by a key that identifies their object. */
export interface SymbolCache {
  readonly get: (key: string) => readonly SymbolTable[] | undefined;
  /** Does nothing if the disk is full or the directory is not writable. */
  readonly put: (key: string, tables: readonly SymbolTable[]) => void;
}

/**
 * `$XDG_CACHE_HOME/btprof/symbols` if the user owns it, or else the same in the user's home; under sudo that is root's.
 * Undefined for a user without a home.
 */
export function symbolCacheDirectory(): string | undefined {
  const { XDG_CACHE_HOME } = process.env;
  const home = tryRead(() => userInfo().homedir);
  const named = XDG_CACHE_HOME?.startsWith('/') && isOwnDirectory(XDG_CACHE_HOME); // sudo -E keeps the user's
  const base = named ? XDG_CACHE_HOME : home && join(home, '.cache');
  return base && join(base, 'btprof', 'symbols');
}

/** Files of another user are never read, nor any in a directory that others can write to. */
export function newSymbolCache(directory: string): SymbolCache {
  const usable = () => {
    // Creates one directory at a time, because a recursive mkdir below /proc never ends.
    for (const dir of [dirname(dirname(directory)), dirname(directory), directory])
      tryRead(() => mkdirSync(dir, { mode: 0o700 }));
    return [dirname(directory), directory].every(isOwnDirectory);
  };
  return {
    get: (key) => (usable() ? readTables(join(directory, key)) : undefined),
    put: (key, tables) => {
      const ranges = tables.reduce((sum, table) => sum + table.size, 0);
      if (ranges < WORTH || tables.some((table) => table.problems.length > 0) || !usable()) return;
      const bytes = packSymbols(tables);
      if (bytes.length > LARGEST) return;
      tryRead(() => writeWhole(join(directory, key), bytes));
      tryRead(() => prune(directory));
    },
  };
}

function isOwnDirectory(path: string): boolean {
  const stat = tryRead(() => lstatSync(path));
  return stat?.isDirectory() === true && isOwn(stat);
}

function isOwn({ uid, mode }: Stats): boolean {
  return uid === process.geteuid?.() && (mode & OTHERS_WRITE) === 0;
}

function readTables(path: string): readonly SymbolTable[] | undefined {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const descriptor = tryRead(() => openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  if (descriptor === undefined) return undefined;
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile() || !isOwn(stat) || stat.size > LARGEST) return undefined;
    tryRead(() => futimesSync(descriptor, new Date(), new Date()));
    return tryRead(() => unpackSymbols(readFileSync(descriptor)));
  } finally {
    closeSync(descriptor);
  }
}

/** Writes a file and renames it into place, so that others see the whole file or nothing. */
function writeWhole(path: string, bytes: Buffer): void {
  const begun = `${path}.${randomBytes(8).toString('hex')}.tmp`;
  try {
    writeFileSync(begun, bytes, { flag: 'wx', mode: 0o600 });
    renameSync(begun, path);
  } catch (error) {
    rmSync(begun, { force: true });
    throw error;
  }
}

function prune(directory: string): void {
  const files = readdirSync(directory).flatMap((name) => {
    const path = join(directory, name);
    const stat = OURS.test(name) ? tryRead(() => lstatSync(path)) : undefined;
    return stat?.isFile()
      ? [{ path, size: stat.size, mtimeMs: stat.mtimeMs, begun: name.endsWith('.tmp') }]
      : [];
  });
  let left = MOST;
  for (const { path, size, mtimeMs, begun } of files.sort((a, b) => b.mtimeMs - a.mtimeMs)) {
    left -= size;
    const abandoned = begun && Date.now() - mtimeMs > ABANDONED_MS;
    if (left < 0 || abandoned) tryRead(() => rmSync(path, { force: true }));
  }
}
