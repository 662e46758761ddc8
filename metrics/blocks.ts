import { formatCount } from './units.ts';

/** A figure or a text of the summary; the page that shows it formats it. */
export type Cell =
  | string
  | { readonly ns: number }
  | { readonly count: number }
  | { readonly share: number; readonly of: number };

/** Cells that are printed one after the other. */
export type Text = readonly Cell[];

/** A line or a table of a block. */
export type Line =
  /** `strong` is printed first, in bold. */
  | { readonly kind: 'text'; readonly strong?: Text; readonly text: Text }
  /** A line that is never broken. */
  | { readonly kind: 'line'; readonly text: Text }
  /** Numbers in columns; the last column is text, and is cut where the page ends. */
  | {
      readonly kind: 'table';
      readonly head: readonly string[];
      readonly rows: readonly (readonly (Cell | Text)[])[];
    };

/** Lines of one block. Blocks are separated by an empty line. */
export type Block = readonly Line[];

/** How idle waits are shown: like all others, in one line, or not at all, so that the shares leave them out too. */
export type IdleView = 'show' | 'fold' | 'hide';

/** How much a block shows. */
export interface BlockOptions {
  readonly idle: IdleView;
  /** 0 is the longest page for one screen; higher levels have fewer rows. */
  readonly level: number;
  /** Whether everything is shown. */
  readonly verbose: boolean;
}

/** Number of levels; each one makes the page shorter. */
export const LEVELS = 6;

/**
 * Returns the maximum number of rows of a table.
 *
 * @param brief the number at each level; the last one applies to further levels
 */
export function rowLimit(
  { level, verbose }: BlockOptions,
  brief: readonly [number, ...number[]],
  all: number,
): number {
  return verbose ? all : (brief[level] ?? (brief.at(-1) as number));
}

/** ` (4 of 31)` if not all are shown. */
export function ofAll(most: number, all: number): string {
  return all > most ? ` (${formatCount(most)} of ${formatCount(all)})` : '';
}
