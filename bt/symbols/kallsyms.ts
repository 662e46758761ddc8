import { readFileSync } from 'node:fs';
import { type KernelSymbols, parseKernelSymbols } from '../../parsers/kernel-symbols.ts';
import { tryRead } from '../driver/procfs.ts';

/** Reads the functions of the running kernel; none if it hides them. */
export function readKallsyms(): KernelSymbols {
  return parseKernelSymbols(tryRead(() => readFileSync('/proc/kallsyms', 'latin1')) ?? '');
}
