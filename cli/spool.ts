import { closeSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BtprofError } from '../metrics/errors.ts';
import { type Sink, writeAll } from './output.ts';

/** Holds text that must wait in an unnamed file, so that btprof does not hold it in memory. */
export interface Spool extends Pick<Sink, 'write'> {
  /** Copies the whole text once, and closes the file. */
  readonly copyTo: (sink: Pick<Sink, 'write'>) => void;
}

const CHUNK_BYTES = 2 ** 20;

/** @param directory where the file is created, at the first write */
export function newSpool(directory = tmpdir()): Spool {
  let fd: number | undefined;
  return {
    write: (content) => {
      fd ??= openUnnamed(directory);
      return writeAll(fd, content, JSON.stringify(directory));
    },
    copyTo: (sink) => {
      if (fd === undefined) return;
      copy(fd, sink);
      closeSync(fd);
      fd = undefined;
    },
  };
}

function copy(fd: number, { write }: Pick<Sink, 'write'>): void {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let at = 0; ; ) {
    const got = readSync(fd, chunk, 0, CHUNK_BYTES, at);
    if (got === 0 || !write(chunk.subarray(0, got))) return;
    at += got;
  }
}

/** @throws BtprofError when it cannot be made */
function openUnnamed(parent: string): number {
  try {
    const directory = mkdtempSync(join(parent, 'btprof-'));
    try {
      return openSync(join(directory, 'samples'), 'wx+', 0o600);
    } finally {
      rmSync(directory, { recursive: true });
    }
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException;
    throw new BtprofError(
      `cannot store samples in ${JSON.stringify(parent)}: ${code}.`,
      'TMPDIR=DIRECTORY names another place, and -o FILE writes them at once.',
    );
  }
}
