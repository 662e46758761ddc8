import { readdirSync, readFileSync } from 'node:fs';

/** Reads an entry of /proc. Returns undefined if it vanished or cannot be read. */
export function tryRead<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** The files that describe each descriptor of a process; none when it has ended. */
export function fdInfoFiles(pid: number): string[] {
  const fds = tryRead(() => readdirSync(`/proc/${pid}/fdinfo`)) ?? [];
  return fds.map((fd) => `/proc/${pid}/fdinfo/${fd}`);
}

/** Their contents. */
export function fdInfos(pid: number): string[] {
  return fdInfoFiles(pid).map((file) => tryRead(() => readFileSync(file, 'utf8')) ?? '');
}

/** The running children that the main thread of a process started. */
export function childrenOf(pid: number): number[] {
  const text = tryRead(() => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')) ?? '';
  return text.trim().split(' ').filter(Boolean).map(Number);
}

/** A process and all its descendants. */
export function familyOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(familyOf)];
}
