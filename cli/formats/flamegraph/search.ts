import { totalNs } from './tree-sums.ts';
import type { Tree } from './tree-types.ts';

export interface Search {
  readonly matches: (name: string) => boolean;
  /** Whether the text is not a valid regular expression and is searched literally. */
  readonly plain: boolean;
}

/** Searches for a regular expression, or literally if it is invalid, ignoring case. Undefined for an empty text. */
export function searchFor(text: string): Search | undefined {
  if (text === '') return undefined;
  try {
    const pattern = new RegExp(text, 'i');
    return { matches: (name) => pattern.test(name), plain: false };
  } catch {
    const lower = text.toLowerCase();
    return { matches: (name) => name.toLowerCase().includes(lower), plain: true };
  }
}

/** A search text that matches exactly one name. */
export function patternOf(name: string): string {
  return `^${name.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')}$`;
}

/** Time of the matching frames and of those below, ns. A match within another one counts once. */
export function matchedNs(tree: Tree, matching: (frame: number) => boolean, from = 0): number {
  let ns = 0;
  for (let node = from; node < (tree.end[from] as number); ) {
    if (matching(tree.frame[node] as number)) {
      ns += totalNs(tree, node);
      node = tree.end[node] as number;
    } else node++;
  }
  return ns;
}
