import { randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fchmodSync,
  fchownSync,
  lstatSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { BtprofError, UsageError } from '../metrics/errors.ts';
import { openForWriting, openOutput, type Sink, writeAll } from './output.ts';

/**
 * Opens the file of a result. The result replaces an older file only once all of it is on the disk: it is written beside that,
 * and renamed. It is for us alone, because it has arguments and paths; an older file keeps its mode and owner. Pipes, devices and
 * files in a directory that takes no new ones are written in place.
 *
 * @param grows whether each piece must be in the file as soon as it is written; then the file is written in place, too
 * @throws BtprofError when it cannot be written
 */
export function openResult(path: string, grows = false): Sink {
  if (grows) return openOutput(path, OWN);
  const old = statSync(path, { throwIfNoEntry: false });
  const target = old ? realpathSync(path) : path;
  if (old && !old.isFile()) return openOutput(path, OWN);
  if (old) closeSync(openForWriting(path, OWN));
  if (!mayCreate(dirname(target)) || isDangling(path)) return openOutput(path, OWN);
  const beside = join(
    dirname(target),
    `.${basename(target).slice(0, 100)}.${randomBytes(6).toString('hex')}`,
  );
  let fd: number | undefined;
  const remove = () => rmSync(beside, { force: true });
  return {
    write: (content) => {
      if (fd === undefined) {
        process.once('exit', remove);
        fd = openNew(beside, path, old);
      }
      return writeAll(fd, content, JSON.stringify(path));
    },
    close: () => {
      if (fd === undefined) return;
      closeSync(fd);
      try {
        replace(target, beside);
      } catch (error) {
        throw cannotWrite(path, error);
      } finally {
        remove();
      }
      process.off('exit', remove);
    },
  };
}

/** Read and write for us alone. */
const OWN = 0o600;
const NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

function openNew(beside: string, path: string, old: Stats | undefined): number {
  try {
    const fd = openSync(beside, NEW, OWN);
    if (old) fchmodSync(fd, old.mode & 0o777);
    if (old) keepOwner(fd, old);
    return fd;
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

function cannotWrite(path: string, error: unknown): BtprofError {
  const { code } = error as NodeJS.ErrnoException;
  return new BtprofError(`cannot write ${JSON.stringify(path)}: ${code}.`, 'Is the disk full?');
}

/** Only root can, and not on every file system. */
function keepOwner(fd: number, { uid, gid }: Stats): void {
  try {
    fchownSync(fd, uid, gid);
  } catch {
    // The result is ours then.
  }
}

/** A mount point, as a file that a container gets from its host, cannot be replaced: it is overwritten. */
function replace(target: string, beside: string): void {
  try {
    renameSync(beside, target);
  } catch {
    copyFileSync(beside, target);
  }
}

function mayCreate(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether it is a symbolic link to a file that does not exist yet. */
function isDangling(path: string): boolean {
  return !existsSync(path) && lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** @throws UsageError when the output is one of the inputs, under whatever name */
export function refuseInput(output: string, inputs: readonly string[]): void {
  const at = statSync(output, { throwIfNoEntry: false, bigint: true });
  const same = inputs.find((input) => {
    const { dev, ino } = statSync(input, { throwIfNoEntry: false, bigint: true }) ?? {};
    return at?.isFile() && at.dev === dev && at.ino === ino;
  });
  if (same !== undefined)
    throw new UsageError(
      `--output ${JSON.stringify(output)} is the input ${JSON.stringify(same)}.`,
      undefined,
      2,
    );
}
