/**
 * Reads from /proc what Node does not pass on to its children: descriptors above 2, the bytes of the arguments and of
 * the environment, and the soft limit of open files.
 */
import { constants, fstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { BtprofError } from '../../metrics/errors.ts';
import { parseOpenFilesLimit, parseStat } from '../../parsers/proc.ts';
import { tryRead } from './procfs.ts';

/**
 * Finds the descriptors above 2 that we were started with, such as make's jobserver. Node sets close-on-exec on them, so they
 * must be passed on by number. Call it before anything is opened.
 *
 * Node's own descriptors differ in kind. Event polls and counters are never inherited. A pipe is Node's if both its ends are
 * in this process, none of our ancestors has it, and it is not older than libuv's signal lock: that is the first pipe that
 * Node makes, and the only one in blocking mode.
 */
export function inheritedDescriptors(): number[] {
  const open = [...readDescriptors('self')].filter(([fd, link]) => fd > 2 && !link.startsWith('anon_inode:'));
  const looped = loopedPipes(open);
  const ancestors = looped.length > 0 ? linksOfAncestors() : new Set<string>();
  const unshared = looped.filter((pipe) => !ancestors.has(pipe.link));
  const lockMade = Math.max(...unshared.filter((pipe) => pipe.blocking).map((pipe) => pipe.madeMs));
  const own = new Set(unshared.filter((pipe) => pipe.madeMs >= lockMade).map((pipe) => pipe.link));
  return open
    .filter(([, link]) => !own.has(link))
    .map(([fd]) => fd)
    .sort((a, b) => a - b);
}

interface LoopedPipe {
  readonly link: string;
  readonly blocking: boolean;
  /** When it was made, or first used again if it has been read and written since. */
  readonly madeMs: number;
}

/** Pipes with more than one descriptor in this process. */
function loopedPipes(open: readonly (readonly [number, string])[]): LoopedPipe[] {
  const fds = new Map<string, number[]>();
  for (const [fd, link] of open) {
    if (link.startsWith('pipe:')) fds.set(link, [...(fds.get(link) ?? []), fd]);
  }
  return [...fds]
    .filter(([, [, second]]) => second !== undefined)
    .map(([link, [fd = -1]]) => {
      const { atimeMs, mtimeMs, ctimeMs } = fstatSync(fd);
      return { link, blocking: isBlocking(fd), madeMs: Math.min(atimeMs, mtimeMs, ctimeMs) };
    });
}

/** `flags:	02004000` of /proc/self/fdinfo is octal. */
function isBlocking(fd: number): boolean {
  const flags = /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0';
  return (Number.parseInt(flags, 8) & constants.O_NONBLOCK) === 0;
}

/** Descriptor numbers with what they point to; without the one that lists the directory. */
function readDescriptors(pid: 'self' | number): Map<number, string> {
  const links = new Map<number, string>();
  for (const fd of tryRead(() => readdirSync(`/proc/${pid}/fd`)) ?? []) {
    const link = tryRead(() => readlinkSync(`/proc/${pid}/fd/${fd}`));
    if (link !== undefined) links.set(Number(fd), link);
  }
  return links;
}

function linksOfAncestors(): Set<string> {
  const links = new Set<string>();
  for (let pid = process.ppid; pid > 1; ) {
    for (const link of readDescriptors(pid).values()) links.add(link);
    pid = parseStat(tryRead(() => readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? '')?.ppid ?? 0;
  }
  return links;
}

/** The last `count` arguments of this process, byte for byte: in Node's own list, bytes that are not UTF-8 are replaced. */
export function rawArguments(count: number): Buffer[] {
  const all = splitNul(readOwn('cmdline'));
  return all.slice(all.length - count);
}

/** The environment of this process as `NAME=value`, byte for byte and in order. */
export function rawEnvironment(): Buffer[] {
  return splitNul(readOwn('environ'));
}

function readOwn(file: string): Buffer {
  try {
    return readFileSync(`/proc/self/${file}`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new BtprofError(
      `cannot read /proc/self/${file}: ${code}.`,
      'Is /proc mounted? Type: mount -t proc proc /proc',
    );
  }
}

/**
 * The soft limit of open files that our parent has, which was ours until Node raised it to the hard limit;
 * undefined when the parent's cannot be read.
 */
export function inheritedOpenFilesLimit(): string | undefined {
  return parseOpenFilesLimit(tryRead(() => readFileSync(`/proc/${process.ppid}/limits`, 'utf8')) ?? '');
}

function splitNul(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0, at);
    if (end < 0) break;
    parts.push(bytes.subarray(at, end));
    at = end + 1;
  }
  return parts;
}
