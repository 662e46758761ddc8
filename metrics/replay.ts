import { newRecording, recordLine } from '../parsers/recording.ts';
import type { Facts, StoredEnding } from './facts.ts';
import { decodeSpaces } from './mappings.ts';
import { assembleProfile } from './profile.ts';
import type { Profile } from './schema.ts';
import { type KeptSymbols, keptSymbols } from './symbols.ts';

/** A run that was kept: the lines that bpftrace printed, and what was learnt beside them. */
export interface KeptRun {
  readonly facts: Facts;
  readonly ending: StoredEnding;
  readonly lines: readonly string[];
  readonly symbols: KeptSymbols;
}

/** The profile of a kept run: the same that the run itself gave. */
export function replay({ facts, ending, lines, symbols }: KeptRun): Profile {
  const recording = newRecording();
  for (const line of lines) recordLine(recording, line);
  const whole = { ...ending, mappings: decodeSpaces(ending.mappings) };
  return assembleProfile(recording, facts, whole, keptSymbols(symbols));
}
