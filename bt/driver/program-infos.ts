import { closeSync, openSync, readSync } from 'node:fs';
import { familyOf, fdInfoFiles, tryRead } from './procfs.ts';

/** The kernel's information on the BPF programs of a process and, when it is a wrapper, of its children. */
export interface ProgramInfos {
  /** Reads one text per program, until `close`; none if the process has ended. */
  readonly read: () => string[];
  readonly close: () => void;
}

/** Longer than any file of fdinfo. */
const buffer = Buffer.allocUnsafe(4096);

/** Opens the files once, so that each later read is one system call. */
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
