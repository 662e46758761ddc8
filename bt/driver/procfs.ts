import { readdirSync, readFileSync } from 'node:fs';

/** Entries of /proc vanish while they are read: undefined then, and on any other failure to read. */
export function tryRead<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** Where the kernel tells of each descriptor of a process; nowhere when it is gone. */
export function fdInfoFiles(pid: number): string[] {
  const fds = tryRead(() => readdirSync(`/proc/${pid}/fdinfo`)) ?? [];
  return fds.map((fd) => `/proc/${pid}/fdinfo/${fd}`);
}

/** What it tells. */
export function fdInfos(pid: number): string[] {
  return fdInfoFiles(pid).map((file) => tryRead(() => readFileSync(file, 'utf8')) ?? '');
}

/** Processes that the main thread of a process has started, and that are there. */
export function childrenOf(pid: number): number[] {
  const text = tryRead(() => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')) ?? '';
  return text.trim().split(' ').filter(Boolean).map(Number);
}

/** A process, those that it has started, and theirs. */
export function familyOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(familyOf)];
}
