import type { MapEntries } from '../parsers/entries.ts';
import { STACK_MAPS } from './core-maps.ts';

/** Stacks as bpftrace printed them, by the text of their numbers. */
export type NumberedStacks = ReadonlyMap<string, string>;

/** Reads the maps that store stacks by number. */
export function readStacks(maps: MapEntries): NumberedStacks {
  const entries = Object.values(STACK_MAPS).flatMap((name) => maps.get(name) ?? []);
  return new Map(
    entries.flatMap(({ key, value }) => (typeof value === 'string' ? [[key, value] as const] : [])),
  );
}

/**
 * Splits the end of a key into kernel and user stack: both numbers, or `\nffff..\n,\n7f..\n`. A kernel stack has no
 * comma, so the first comma separates them.
 */
export function splitStacks(text: string, numbered: NumberedStacks): readonly [kernel: string, user: string] {
  const comma = text.indexOf(',');
  const [kernel, user] = comma < 0 ? [text, ''] : [text.slice(0, comma), text.slice(comma + 1)];
  return /^\d+,\d+$/.test(text) ? [numbered.get(kernel) ?? '', numbered.get(user) ?? ''] : [kernel, user];
}
