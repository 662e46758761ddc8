import type { FlameProfile } from './flame-profile.ts';
import { totalNs } from './tree-sums.ts';
import type { Tree } from './tree-types.ts';

/** A row of the table beside the graph. */
export interface FunctionTableRow {
  readonly frame: number;
  readonly selfNs: number;
  /** Including everything that it called. Recursion counts once. */
  readonly totalNs: number;
}

/** The functions of a frame and of all frames below it, in the order of the frames table. */
export function functionRows({ frames }: FlameProfile, tree: Tree, zoom: number): FunctionTableRow[] {
  const [self, total] = [new Float64Array(frames.length), new Float64Array(frames.length)];
  const active = new Int32Array(frames.length);
  const path: number[] = [];
  const leave = () => add(active, tree.frame[path.pop() as number] as number, -1);
  for (let node = zoom; node < (tree.end[zoom] as number); node++) {
    while (path.length > 0 && (tree.end[path.at(-1) as number] as number) <= node) leave();
    const frame = tree.frame[node] as number;
    const ns = totalNs(tree, node);
    add(self, frame, ns);
    if (path.length > 0) add(self, tree.frame[path.at(-1) as number] as number, -ns);
    if (active[frame] === 0) add(total, frame, ns);
    add(active, frame, 1);
    path.push(node);
  }
  return frames.flatMap(({ kind }, frame) =>
    kind !== 'group' && (total[frame] as number) > 0
      ? [{ frame, selfNs: self[frame] as number, totalNs: total[frame] as number }]
      : [],
  );
}

function add(column: Float64Array | Int32Array, index: number, number: number): void {
  column[index] = (column[index] as number) + number;
}
