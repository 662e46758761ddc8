import { randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  openSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { tryRead } from '../bt/driver/procfs.ts';
import { UsageError } from '../metrics/errors.ts';
import { cannotWrite, openForWriting, openOutput, type Sink, writeAll } from './output.ts';

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
  const old = tryRead(() => statSync(path));
  if (old && !old.isFile()) return openOutput(path, OWN);
  if (old) closeSync(openForWriting(path, OWN));
  const target = targetOf(path);
  if (!mayCreate(dirname(target))) return openOutput(path, OWN);
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
      throw cannotWrite(path, error);
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
  return tryRead(() => accessSync(directory, constants.W_OK | constants.X_OK) ?? true) ?? false;
}

/** As many as the kernel follows. */
const MOST_LINKS = 40;

/** The path at the end of all symbolic links; there need not be a file yet. */
function targetOf(path: string, links = 0): string {
  const whole = tryRead(() => realpathSync(path));
  const directory = tryRead(() => realpathSync(dirname(path)));
  if (links > MOST_LINKS) throw cannotWrite(path, { code: 'ELOOP' });
  if (whole !== undefined || directory === undefined) return whole ?? path;
  const link = tryRead(() => readlinkSync(path));
  return link === undefined ? join(directory, basename(path)) : targetOf(resolve(directory, link), links + 1);
}

/** Whether two paths lead to the same plain file, or to the same place for one. */
export function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => tryRead(() => statSync(path, { bigint: true })));
  return a ? a.isFile() && a.dev === b?.dev && a.ino === b.ino : !b && targetOf(one) === targetOf(other);
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
