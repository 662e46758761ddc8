import { totalNs } from './tree-sums.ts';
import type { Tree } from './tree-types.ts';

/** A rectangle of the graph. Lengths are in CSS pixels. */
export interface Rect {
  /** The frame; the first one if several narrow ones are merged. */
  readonly node: number;
  readonly x: number;
  width: number;
  readonly depth: number;
  /** Number of adjacent narrow frames that are drawn as one; 0 for a single frame. */
  narrow: number;
}

export interface Layout {
  /** Rectangles by depth, each row from left to right. */
  readonly rows: readonly (readonly Rect[])[];
}

/** Narrower frames are merged. */
const LEAST_WIDTH = 1;
/** Approximate width of merged frames. */
const NARROW_WIDTH = 2;
/** Gaps too small to see. */
const CLOSE = 0.25;

/** Places the frames above and below a frame that takes the whole width. */
export function layoutOf(tree: Tree, zoom: number, width: number): Layout {
  const rows: Rect[][] = [];
  for (let at = zoom; at >= 0; at = tree.parent[at] as number) {
    const depth = tree.depth[at] as number;
    rows[depth] = [{ node: at, x: 0, width, depth, narrow: 0 }];
  }
  const sums = tree.sums.width;
  const start = sums[tree.first[zoom] as number] as number;
  const scale = scaleOf(tree, zoom, width);
  for (let node = zoom + 1; node < (tree.end[zoom] as number); node++) {
    const left = sums[tree.first[node] as number] as number;
    const right = sums[tree.last[node] as number] as number;
    const depth = tree.depth[node] as number;
    rows[depth] ??= [];
    place(rows[depth], node, (left - start) * scale, (right - left) * scale, depth);
  }
  return { rows };
}

/** CSS pixels per ns. */
function scaleOf(tree: Tree, zoom: number, width: number): number {
  const all = totalNs(tree, zoom);
  return all > 0 ? width / all : 0;
}

/** A row has at most as many rectangles as pixels, so the tree's frames need no object each. */
function place(row: Rect[], node: number, x: number, width: number, depth: number): void {
  if (width <= 0) return;
  if (width >= LEAST_WIDTH) {
    row.push({ node, x, width, depth, narrow: 0 });
    return;
  }
  const before = row.length > 0 ? row[row.length - 1] : undefined;
  const fits = before && before.narrow > 0 && before.width < NARROW_WIDTH;
  if (fits && x - (before.x + before.width) < CLOSE) {
    before.width = x + width - before.x;
    before.narrow++;
  } else row.push({ node, x, width, depth, narrow: 1 });
}

/** Position of a frame below the zoomed one, however narrow. */
export function positions(tree: Tree, zoom: number, width: number) {
  const sums = tree.sums.width;
  const start = sums[tree.first[zoom] as number] as number;
  const scale = scaleOf(tree, zoom, width);
  return (node: number) => ({
    x: ((sums[tree.first[node] as number] as number) - start) * scale,
    width: totalNs(tree, node) * scale,
  });
}

/** The frame at a position in the row of a depth. */
export function rectAt({ rows }: Layout, x: number, depth: number): Rect | undefined {
  const row = rows[depth] ?? [];
  let [low, high] = [0, row.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const rect = row[middle] as Rect;
    if (rect.x + rect.width <= x) low = middle + 1;
    else high = middle;
  }
  const rect = row[low];
  return rect && rect.x <= x ? rect : undefined;
}
