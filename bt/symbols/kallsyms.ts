import { readFileSync } from 'node:fs';
import { type KernelSymbols, parseKernelSymbols } from '../../parsers/kernel-symbols.ts';
import { tryRead } from '../driver/procfs.ts';

/** The functions of the running kernel; none where it hides them. */
export function readKallsyms(): KernelSymbols {
  return parseKernelSymbols(tryRead(() => readFileSync('/proc/kallsyms', 'latin1')) ?? '');
}
