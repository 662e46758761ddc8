import { randomBytes } from 'node:crypto';
import { accessSync, closeSync, constants, openSync, unlinkSync, writeSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

/** A program in a file without a name, so that nobody can put another one in its place. */
export interface Executable {
  /** A path in /proc: it works until `close`. */
  readonly path: string;
  readonly close: () => void;
}

/**
 * Makes one of our programs executable, in the first file system where that works.
 *
 * @param binaries ELF files in base64, by process.arch
 * @param places directories, in the order in which they are tried; they may belong to anybody
 * @returns the program, or why there is none
 */
export function openExecutable(
  binaries: Readonly<Record<string, string>>,
  places: readonly string[] = usualPlaces(),
): Executable | { readonly problem: string } {
  const binary = binaries[process.arch];
  if (binary === undefined) return { problem: `it is for x86_64 and aarch64, and this is ${process.arch}` };
  const failures: string[] = [];
  for (const place of new Set(places)) {
    try {
      const fd = openIn(place, Buffer.from(binary, 'base64'));
      return { path: `/proc/${process.pid}/fd/${fd}`, close: () => closeSync(fd) };
    } catch (error) {
      failures.push((error as Error).message);
    }
  }
  return { problem: failures.join('; ') };
}

function usualPlaces(): string[] {
  return [tmpdir(), '/var/tmp', '/dev/shm', homedir()];
}

/** A file that is open for writing cannot be executed, so it is opened a second time. */
function openIn(place: string, binary: Buffer): number {
  const written = openNameless(place);
  try {
    writeSync(written, binary);
    const fd = openSync(`/proc/self/fd/${written}`, constants.O_RDONLY);
    requireExecutable(fd, place);
    return fd;
  } finally {
    closeSync(written);
  }
}

/** Not every file system makes files without a name. There its name is removed at once. */
function openNameless(place: string): number {
  try {
    return openSync(place, O_TMPFILE | constants.O_RDWR, 0o700);
  } catch {
    const path = join(place, `btprof-${randomBytes(12).toString('hex')}`);
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | constants.O_RDWR;
    const fd = openSync(path, flags, 0o700);
    unlinkSync(path);
    return fd;
  }
}

/** Node does not have it: see open(2) and asm-generic/fcntl.h. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;

function requireExecutable(fd: number, place: string): void {
  try {
    accessSync(`/proc/self/fd/${fd}`, constants.X_OK);
  } catch {
    closeSync(fd);
    throw new Error(`no program may run in ${place}`);
  }
}
