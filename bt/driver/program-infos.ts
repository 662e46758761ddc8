import { closeSync, openSync, readSync } from 'node:fs';
import { familyOf, fdInfoFiles, tryRead } from './procfs.ts';

/** What the kernel tells of the programs of a process, and of its children when it is a wrapper. */
export interface ProgramInfos {
  /** Of each program, until they are closed: nothing when the process is gone. */
  readonly read: () => string[];
  readonly close: () => void;
}

/** A file of fdinfo is shorter. */
const buffer = Buffer.allocUnsafe(4096);

/** The files are kept open: who reads them often pays one system call for each. */
export function openProgramInfos(pid: number): ProgramInfos {
  let open = familyOf(pid).flatMap(fdInfoFiles).flatMap(openProgramInfo);
  return {
    read: () => open.map(readInfo),
    close: () => {
      for (const descriptor of open) closeSync(descriptor);
      open = [];
    },
  };
}

function openProgramInfo(file: string): number[] {
  const descriptor = tryRead(() => openSync(file, 'r'));
  if (descriptor === undefined) return [];
  if (readInfo(descriptor).includes('prog_type:')) return [descriptor];
  closeSync(descriptor);
  return [];
}

function readInfo(descriptor: number): string {
  return tryRead(() => buffer.toString('latin1', 0, readSync(descriptor, buffer, 0, buffer.length, 0))) ?? '';
}
