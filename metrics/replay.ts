import type { Facts, StoredEnding } from './facts.ts';
import { decodeSpaces } from './mappings.ts';
import type { Measurement } from './measurement.ts';
import { measured, readProfile, readRecorder } from './profile.ts';
import { newRecorder, recordLine } from './recording.ts';
import type { Profile } from './schema.ts';
import type { ResolvedSymbols } from './symbols.ts';

/** A recorded run: the lines of bpftrace, and the facts about the run. */
export interface KeptRun {
  readonly facts: Facts;
  readonly ending: StoredEnding;
  readonly lines: readonly string[];
  readonly symbols: ResolvedSymbols;
}

/** Makes the profile of a recorded run: the same as that of the run itself. */
export function replay(
  { facts, ending, lines, symbols }: KeptRun,
  registered: readonly Measurement[],
): Profile {
  const recorder = newRecorder();
  for (const line of lines) recordLine(recorder, line);
  const collected = readRecorder(recorder, facts, measured(facts, registered));
  return readProfile(collected, { ...ending, mappings: decodeSpaces(ending.mappings) }).assemble(symbols);
}
