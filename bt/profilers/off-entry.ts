import type { FragmentOptions } from './profiler.ts';
import { otherStacks, stackRoom } from './stacks.ts';

/**
 * The words of an entry of `@off`, key tid, of the wait in progress or of the run; then come the stacks of the wait. `ran` is how
 * long the thread was on a CPU before that, ns; its longest and shortest wait, ns, are those so far.
 */
const FIELDS = ['since', 'pid', 'generation', 'state', 'ran', 'longest', 'shortest'] as const;

export type Field = (typeof FIELDS)[number];

/** Words of an entry before its stacks. */
export const WORDS = FIELDS.length;

/** The fields of an entry for a thread that has neither waited nor run yet, as far as is known. */
export function newEntry(
  fields: Readonly<Record<'since' | 'pid' | 'generation', string>>,
  state: number,
  options: FragmentOptions,
): string {
  const all = { ...fields, state: `(uint64)${state}`, ran: ZERO, longest: ZERO, shortest: ZERO };
  return [...FIELDS.map((field) => all[field]), ...otherStacks(options)].join(', ');
}

export const ZERO = '(uint64)0';

/** The fields of an entry that is in a variable, but for those that change. */
export function changedEntry(
  variable: string,
  changed: Readonly<Partial<Record<Field, string>>>,
  options: FragmentOptions,
): string {
  const { words, stacks } = stackRoom(options);
  const fields = FIELDS.map((field, i) => changed[field] ?? `${variable}.${i}`);
  return [...fields, ...stacksOf(variable, words + stacks)].join(', ');
}

/** The stacks of an entry that is in a variable, or their numbers. */
export function stacksOf(variable: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${variable}.${WORDS + i}`);
}
