import { randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fchmodSync,
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
 * Opens the file of a result or capture. It replaces an older file: it is written beside that, and renamed once all of it is on
 * the disk. It is for us alone, because it has arguments and paths. Pipes, devices and files in a directory that takes no new
 * ones are written in place.
 *
 * @param grows whether each piece must be in the file as soon as it is written: then the first one replaces the older file
 * @param keepsMode whether an older file of our own keeps its mode
 * @throws BtprofError when it cannot be written
 */
export function openResult(path: string, { grows = false, keepsMode = true } = {}): Sink {
  const old = statSync(path, { throwIfNoEntry: false });
  if (old && !old.isFile()) return openOutput(path, OWN);
  if (old) closeSync(openForWriting(path, OWN));
  const target = old ? realpathSync(path) : path;
  if (!mayCreate(dirname(target)) || isDangling(path)) return openOutput(path, OWN);
  let file: NewFile | undefined;
  return {
    write: (content) => {
      const isFirst = file === undefined;
      file ??= createBeside(target, path, keepsMode ? modeOf(old) : OWN);
      if (isFirst && grows) file.rename();
      return writeAll(file.descriptor(), content, JSON.stringify(path));
    },
    close: () => {
      if (!grows) file?.rename();
      if (file) closeSync(file.descriptor());
    },
  };
}

/** Read and write for us alone. */
const OWN = 0o600;
const NEW = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** Whoever owns the older file chose its mode: others must not read what we write. */
function modeOf(old: Stats | undefined): number {
  return old && old.uid === process.geteuid?.() ? old.mode & 0o777 : OWN;
}

interface NewFile {
  readonly descriptor: () => number;
  /** Gives it the name of the target. */
  readonly rename: () => void;
}

/**
 * Creates a file beside the target. It is removed at exit if it was not renamed.
 *
 * @param path the target as the user named it, for messages
 */
function createBeside(target: string, path: string, mode: number): NewFile {
  const name = `.${basename(target).slice(0, 100)}.${randomBytes(6).toString('hex')}`;
  const beside = join(dirname(target), name);
  const remove = () => rmSync(beside, { force: true });
  process.once('exit', remove);
  const attempt = <T>(act: () => T): T => {
    try {
      return act();
    } catch (error) {
      remove();
      const { code } = error as NodeJS.ErrnoException;
      throw new BtprofError(`cannot write ${JSON.stringify(path)}: ${code}.`, 'Is the disk full?');
    }
  };
  let descriptor = attempt(() => openSync(beside, NEW, OWN));
  attempt(() => fchmodSync(descriptor, mode));
  return {
    descriptor: () => descriptor,
    rename: () => {
      const isCopy = attempt(() => replace(target, beside));
      remove();
      process.off('exit', remove);
      if (!isCopy) return;
      closeSync(descriptor);
      descriptor = openForWriting(target, OWN);
    },
  };
}

/**
 * A mount point, as a file that a container gets from its host, cannot be replaced: it is overwritten.
 *
 * @returns whether the target is a copy
 */
function replace(target: string, beside: string): boolean {
  try {
    renameSync(beside, target);
    return false;
  } catch {
    copyFileSync(beside, target);
    return true;
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

/** Whether two paths lead to the same plain file. */
export function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => statSync(path, { throwIfNoEntry: false, bigint: true }));
  return a?.isFile() === true && a.dev === b?.dev && a.ino === b.ino;
}

/** @throws UsageError when the output is one of the inputs, under whatever name */
export function refuseInput(output: string, inputs: readonly string[]): void {
  const same = inputs.find((input) => isSameFile(output, input));
  if (same !== undefined)
    throw new UsageError(
      `--output ${JSON.stringify(output)} is the input ${JSON.stringify(same)}.`,
      undefined,
      2,
    );
}
