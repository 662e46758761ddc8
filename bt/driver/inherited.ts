/**
 * What Node takes away from a process that it starts, read back from /proc: the descriptors above 2, the bytes of
 * the arguments and of the environment, and the soft limit of open files.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { parseOpenFilesLimit, parseStat } from '../../parsers/proc.ts';
import { tryRead } from './procfs.ts';

/**
 * Descriptors above 2 that we were started with, such as make's jobserver. Node sets close-on-exec on them, so
 * they must be passed on by number.
 *
 * Node's own descriptors are told apart by kind: event polls and counters are never inherited; a pipe with both
 * ends in this process is inherited only if one of our ancestors has it too. Call it before anything is opened.
 */
export function inheritedDescriptors(): number[] {
  const open = readDescriptors('self');
  const pipeEnds = new Map<string, number>();
  for (const link of open.values()) pipeEnds.set(link, (pipeEnds.get(link) ?? 0) + 1);
  let ancestors: ReadonlySet<string> | undefined;
  return [...open]
    .filter(([fd, link]) => {
      if (fd <= 2 || link.startsWith('anon_inode:')) return false;
      if (!link.startsWith('pipe:') || pipeEnds.get(link) === 1) return true;
      ancestors ??= linksOfAncestors();
      return ancestors.has(link);
    })
    .map(([fd]) => fd)
    .sort((a, b) => a - b);
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

/** The last `count` arguments that we were started with, byte for byte; Node has replaced what is not UTF-8. */
export function rawArguments(count: number): Buffer[] {
  const all = splitNul(readFileSync('/proc/self/cmdline'));
  return all.slice(all.length - count);
}

/** The environment that we were started with, as `NAME=value`, byte for byte and in order. */
export function rawEnvironment(): Buffer[] {
  return splitNul(readFileSync('/proc/self/environ'));
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
