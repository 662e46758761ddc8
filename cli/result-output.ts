import { randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { tryRead } from '../bt/driver/procfs.ts';
import { UsageError } from '../metrics/errors.ts';
import { cannotWrite, openForWriting, openOutput, type Sink, writeAll } from './output.ts';

/**
 * Opens the file of a result or capture. It replaces an older file: it is written beside that, and renamed once it is complete. It
 * is for us alone, because it has arguments and paths. Pipes, devices, links of other users and files in a directory that takes no
 * new ones are written in place.
 *
 * @param grows whether each piece must be in the file as soon as it is written: then the first one replaces the older file
 * @param keepsMode whether an older file of our own keeps its mode
 * @throws BtprofError when it cannot be written
 */
export function openResult(path: string, { grows = false, keepsMode = true } = {}): Sink {
  const target = replaceable(path);
  if (target === undefined) return openOutput(path, OWN);
  const mode = keepsMode ? modeOf(target) : OWN;
  let file: NewFile | undefined;
  return {
    write: (content) => {
      const isFirst = file === undefined;
      file ??= createBeside(target, path, mode);
      if (isFirst && grows) file.rename();
      return writeAll(file.descriptor(), content, JSON.stringify(path));
    },
    close: () => {
      if (!grows) file?.rename();
      if (file) closeSync(file.descriptor());
    },
  };
}

/**
 * The plain file at a path, or the place for one, if it can be replaced; it need not exist. The path of a link is that of its
 * file, if the link is ours: whether to follow those of others is for the kernel to decide (fs.protected_symlinks).
 */
function replaceable(path: string): string | undefined {
  const directory = tryRead(() => realpathSync(dirname(path)));
  // A descriptor, such as /dev/stdout, is written as it is.
  if (directory === undefined || !mayCreate(directory) || /^\/(dev|proc)\//.test(path)) return undefined;
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return join(directory, basename(path));
  const isOurLink = found.isSymbolicLink() && found.uid === process.geteuid?.();
  const target = isOurLink ? tryRead(() => realpathSync(path)) : join(directory, basename(path));
  if (target === undefined || !mayCreate(dirname(target)) || !lstatSync(target).isFile()) return undefined;
  closeSync(openForWriting(path, OWN));
  return target;
}

/** Read and write for us alone. */
const OWN = 0o600;
const NEW = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** Whoever owns the older file chose its mode: others must not read what we write. */
function modeOf(target: string): number {
  const old = lstatSync(target, { throwIfNoEntry: false });
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
      descriptor = attempt(() => replace(target, beside, descriptor));
      remove();
      process.off('exit', remove);
    },
  };
}

/**
 * A mount point, as a file that a container gets from its host, cannot be replaced: it is overwritten.
 *
 * @returns a descriptor of the target, instead of the one given
 */
function replace(target: string, beside: string, descriptor: number): number {
  try {
    renameSync(beside, target);
    return descriptor;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
    const overwritten = openSync(target, constants.O_WRONLY | constants.O_TRUNC | constants.O_NOFOLLOW);
    writeFileSync(overwritten, readFileSync(`/proc/self/fd/${descriptor}`));
    closeSync(descriptor);
    return overwritten;
  }
}

function mayCreate(directory: string): boolean {
  return tryRead(() => accessSync(directory, constants.W_OK | constants.X_OK) ?? true) ?? false;
}

/** The path of a file that need not exist: the last link may lead nowhere. */
function placeOf(path: string): string {
  const link = tryRead(() => readlinkSync(path));
  const directory = tryRead(() => realpathSync(dirname(path))) ?? dirname(path);
  return resolve(directory, link ?? basename(path));
}

/** Whether two paths lead to the same plain file, or to the same place for one. */
export function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => tryRead(() => statSync(path, { bigint: true })));
  return a ? a.isFile() && a.dev === b?.dev && a.ino === b.ino : !b && placeOf(one) === placeOf(other);
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
