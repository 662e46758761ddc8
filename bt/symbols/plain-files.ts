import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import type { ByteSource } from '../../parsers/elf-types.ts';
import { tryRead } from '../driver/procfs.ts';

const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants;
/** Finds a file without opening it (open(2)). Node has no name for this flag. */
const O_PATH = 0o10000000;

/**
 * Shows what is at a path before it is opened. Another user may have put a device or a FIFO there, and opening one has
 * effects: a watchdog starts to count, a writer wakes up.
 *
 * @param flags such as `O_NOFOLLOW`
 * @param use gets its properties, a function that opens that very file, whatever is at the path by then, and a descriptor
 *   that only names the file
 * @returns what `use` returns; undefined when there is nothing at the path
 */
export function inspect<T>(
  path: string,
  flags: number,
  use: (stat: Stats, open: () => number | undefined, found: number) => T,
): T | undefined {
  const found = tryRead(() => openSync(path, O_PATH | flags));
  if (found === undefined) return undefined;
  try {
    const open = () => tryRead(() => openSync(`/proc/self/fd/${found}`, O_RDONLY | O_NONBLOCK | O_NOCTTY));
    return use(fstatSync(found), open, found);
  } finally {
    closeSync(found);
  }
}

/** Opens a regular file; undefined for anything else, which is not touched. */
export function openRegular(path: string): number | undefined {
  return inspect(path, 0, (stat, open) => (stat.isFile() ? open() : undefined));
}

/** Opens a regular file while `use` reads it; undefined when it cannot be opened. */
export function readRegular<T>(path: string, use: (source: ByteSource) => T): T | undefined {
  return readAndClose(openRegular(path), use);
}

/** Closes the file after reading; undefined when there is none. */
export function readAndClose<T>(
  descriptor: number | undefined,
  use: (source: ByteSource) => T,
): T | undefined {
  if (descriptor === undefined) return undefined;
  try {
    return use(sourceOf(descriptor));
  } finally {
    closeSync(descriptor);
  }
}

/** Reads an open file at any offset. */
export function sourceOf(descriptor: number): ByteSource {
  return {
    size: fstatSync(descriptor).size,
    read: (offset, length) => {
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, readSync(descriptor, bytes, 0, length, offset));
    },
  };
}
