import type { Facts, StoredEnding } from './facts.ts';
import { decodeSpaces } from './mappings.ts';
import type { Measurement } from './measurement.ts';
import { measured, readProfile, readRecorder } from './profile.ts';
import { newRecorder, recordLine } from './recording.ts';
import type { Profile } from './schema.ts';
import type { ResolvedSymbols } from './symbols.ts';

/** A run that was kept: the lines that bpftrace printed, and what was learnt beside them. */
export interface KeptRun {
  readonly facts: Facts;
  readonly ending: StoredEnding;
  readonly lines: readonly string[];
  readonly symbols: ResolvedSymbols;
}

/** The profile of a kept run: the same that the run itself gave. */
export function replay(
  { facts, ending, lines, symbols }: KeptRun,
  registered: readonly Measurement[],
): Profile {
  const recorder = newRecorder();
  for (const line of lines) recordLine(recorder, line);
  const collected = readRecorder(recorder, facts, measured(facts, registered));
  return readProfile(collected, { ...ending, mappings: decodeSpaces(ending.mappings) }).assemble(symbols);
}
