import { z } from 'zod';
import { type Change, compare, countOf, type Measured } from './noise.ts';

/** A row of a table of one result: its label and its figures. */
export interface DiffRow<Label, Field extends string> {
  readonly label: Label;
  readonly figures: Readonly<Record<Field, Measured>>;
}

/** Rows by key. Rows of two results with the same key match. */
export type DiffTable<Label, Field extends string> = ReadonlyMap<string, DiffRow<Label, Field>>;

/** One value for each run; at least one on each side. */
export interface SidesOf<T> {
  readonly before: readonly T[];
  readonly after: readonly T[];
}

/** A table of the page of `diff`. */
export interface DiffSection {
  readonly title: string;
  readonly unit: 'ns' | 'count';
  readonly rows: readonly DiffLine[];
  /** Maximum number of rows. */
  readonly most: number;
  /** Headings of the cells. */
  readonly cells?: readonly string[];
  /** Whether there is space for the ranges of several runs, because names are short. */
  readonly ranges?: boolean;
}

export interface DiffLine {
  readonly change: Change;
  /** Between the change and the name, in tables that have them. */
  readonly cells?: readonly (Change | undefined)[];
  readonly name: string;
}

export interface SectionOptions {
  readonly verbose: boolean;
  /** Whether a side has several runs. */
  readonly several: boolean;
}

/** How two sides of a part are compared. */
export interface DiffPart<Part> {
  /** Its fields in the JSON of `diff`. */
  readonly shape: z.ZodRawShape;
  /** @param sides undefined when not all runs have the part */
  compare(sides: SidesOf<Part> | undefined): Readonly<Record<string, unknown>>;
  /** @param diff the fields that `compare` made */
  sections(diff: Readonly<Record<string, unknown>>, options: SectionOptions): readonly DiffSection[];
}

const number = z.number();
export const figureSchema = z
  .object({ median: number, min: number, max: number })
  .describe('of all runs of that side');
export const changeSchema = z
  .object({
    before: figureSchema,
    after: figureSchema,
    change: number.describe('from median to median'),
    relative: number
      .nullable()
      .describe('the change by the median before: 0.2 is 20 % more; null when that is not above 0'),
    noise: z
      .boolean()
      .nullable()
      .describe('whether it may be chance, by the rules in docs/diff.md; null when the runs do not tell'),
  })
  .describe('times in ns');

export function compareBy<T>({ before, after }: SidesOf<T>, measure: (of: T) => Measured): Change {
  return compare(before.map(measure), after.map(measure));
}

/** Matches the rows of all runs by key. If a run lacks a row, its figures are 0. */
export function compareRows<T, Label, Field extends string>(
  { before, after }: SidesOf<T>,
  tableOf: (of: T) => DiffTable<Label, Field>,
  fields: readonly Field[],
): (Label & Record<Field, Change>)[] {
  const [olds, news] = [before.map(tableOf), after.map(tableOf)];
  const labels = new Map<string, Label>();
  for (const table of [...news, ...olds])
    for (const [key, { label }] of table) if (!labels.has(key)) labels.set(key, label);
  return [...labels].map(([key, label]) => {
    const of = (all: typeof olds, field: Field) =>
      all.map((table) => table.get(key)?.figures[field] ?? countOf(0));
    const changes = fields.map((field) => [field, compare(of(olds, field), of(news, field))]);
    return { ...label, ...(Object.fromEntries(changes) as Record<Field, Change>) };
  });
}

export function byTime<T extends { readonly time_ns: Change }>(rows: T[]): T[] {
  return rows.sort((a, b) => bySize(a.time_ns, b.time_ns));
}

/** Orders changes by size, largest first, then by figure. */
export function bySize(a: Change, b: Change): number {
  const size = ({ before, after }: Change) => Math.max(before.median, after.median);
  return Math.abs(b.change) - Math.abs(a.change) || size(b) - size(a);
}
