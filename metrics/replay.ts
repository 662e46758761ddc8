import { type KernelSymbols, parseKernelSymbols } from '../parsers/kernel-symbols.ts';
import { newRecording, recordLine } from '../parsers/recording.ts';
import type { Ending, Facts } from './facts.ts';
import { assembleProfile } from './profile.ts';
import type { Profile } from './schema.ts';

/** A run that was kept: the lines that bpftrace printed, and what was learnt beside them. */
export interface KeptRun {
  readonly facts: Facts;
  readonly ending: Ending;
  readonly lines: readonly string[];
  /** Rows of /proc/kallsyms that name the addresses in the lines. */
  readonly kernelSymbols: string;
}

/** The profile of a kept run: the same that the run itself gave. */
export function replay({ facts, ending, lines, kernelSymbols }: KeptRun): Profile {
  const recording = newRecording();
  for (const line of lines) recordLine(recording, line);
  return assembleProfile(recording, facts, ending, parseKernelSymbols(kernelSymbols));
}

/** What the lines need of the kernel's symbols. */
export function symbolsNeeded(lines: readonly string[], symbols: KernelSymbols): string {
  const rows = new Set<string>();
  for (const [address] of lines.join(' ').matchAll(/(?<![0-9a-fx])ffff[0-9a-f]{12}(?![0-9a-f])/g)) {
    const row = symbols.row(address);
    if (row) rows.add(row);
  }
  return [...rows].sort().join('');
}
