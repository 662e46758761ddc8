import { randomBytes } from 'node:crypto';
import { accessSync, closeSync, constants, openSync, unlinkSync, writeFileSync } from 'node:fs';
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
  return inFirstPlace(binaries, places, (binary, place) => {
    const fd = openIn(place, binary);
    return { path: `/proc/${process.pid}/fd/${fd}`, close: () => closeSync(fd) };
  });
}

/**
 * Does something with one of our programs in the first place where that works.
 *
 * @param attempt throws where it does not work
 * @returns its value, or why it works nowhere
 */
export function inFirstPlace<T>(
  binaries: Readonly<Record<string, string>>,
  places: readonly string[],
  attempt: (binary: Buffer, place: string) => T,
): T | { readonly problem: string } {
  const binary = binaries[process.arch];
  if (binary === undefined) return { problem: `it is for x86_64 and aarch64, and this is ${process.arch}` };
  const failures: string[] = [];
  for (const place of new Set(places)) {
    try {
      return attempt(Buffer.from(binary, 'base64'), place);
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
    writeFileSync(written, binary);
    const file = `/proc/self/fd/${written}`;
    requireExecutable(file, place);
    return openSync(file, constants.O_RDONLY);
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

/** @throws Error where the mount has `noexec` */
export function requireExecutable(file: string, place: string): void {
  try {
    accessSync(file, constants.X_OK);
  } catch {
    throw new Error(`no program may run in ${place}`);
  }
}
