import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { BtprofError } from '../metrics/errors.ts';

/**
 * Where bytes go. Writes are synchronous and on the descriptor: Node's own streams would make a pipe that the
 * command shares with us non-blocking.
 */
export interface Sink {
  /**
   * Writes all of it.
   *
   * @returns false when the reader went away, which is not an error
   * @throws BtprofError when the bytes cannot be written
   */
  readonly write: (content: string | Uint8Array) => boolean;
  readonly close: () => void;
}

export const stdout: Sink = {
  write: (content) => writeAll(1, content, 'standard output'),
  close: () => undefined,
};
export const stderr: Sink = {
  write: (content) => writeAll(2, content, 'standard error'),
  close: () => undefined,
};

/**
 * Opens a file that grows while we run, before anything is started. The first write empties it. Without any write, a new
 * file is removed at exit.
 *
 * @param mode of a new file
 * @throws BtprofError when it cannot be written
 */
export function openOutput(path: string, mode = 0o666): Sink {
  const isNew = lstatSync(path, { throwIfNoEntry: false }) === undefined;
  const fd = openForWriting(path, mode);
  let written = false;
  process.once('exit', () => {
    if (isNew && !written) rmSync(path, { force: true });
  });
  return {
    write: (content) => {
      if (!written) emptyFile(fd);
      written = true;
      return writeAll(fd, content, JSON.stringify(path));
    },
    close: () => closeSync(fd),
  };
}

/** Opens a file without waiting for the reader of a named pipe. */
export function openForWriting(path: string, mode: number): number {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_NONBLOCK, mode);
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

export function cannotWrite(path: string, error: unknown): BtprofError {
  const reason = (error as NodeJS.ErrnoException).code ?? String(error);
  const hints: Record<string, string> = {
    ENOENT: 'Does the directory exist?',
    ENXIO: 'Nothing reads from that pipe.',
    ENOSPC: 'The disk is full.',
  };
  const hint = hints[reason] ?? 'Give a file that you can write to.';
  return new BtprofError(`cannot write ${JSON.stringify(path)}: ${reason}.`, hint);
}

/** Truncates a file. Devices and pipes cannot be truncated, and need not be. */
function emptyFile(fd: number): void {
  try {
    ftruncateSync(fd);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
  }
}

/**
 * @param name of the file, for messages
 * @returns false when the reader went away
 * @throws BtprofError when the bytes cannot be written
 */
export function writeAll(fd: number, content: string | Uint8Array, name: string): boolean {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE' || isHungUp(fd, code)) return false;
      if (code !== 'EAGAIN') throw new BtprofError(`cannot write to ${name}: ${code}.`, 'Is the disk full?');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
  return true;
}

/** Whether a standard stream is a terminal that has gone, as when ssh breaks. On a file, EIO is an error of the disk. */
function isHungUp(fd: number, code: string | undefined): boolean {
  return fd <= 2 && code === 'EIO' && fstatSync(fd).isCharacterDevice();
}

/**
 * Puts /dev/null in the place of terminals that have gone. At exit, Node resets the terminals that it was started on, and aborts
 * if it cannot.
 */
export function leaveHungUp(): void {
  for (const fd of [0, 1, 2]) {
    try {
      writeSync(fd, '');
    } catch (error) {
      if (!isHungUp(fd, (error as NodeJS.ErrnoException).code)) continue;
      closeSync(fd);
      openSync('/dev/null', constants.O_RDWR); // takes the lowest number, which is that one
    }
  }
}
