import { childrenOf } from './tree-sums.ts';
import type { Tree } from './tree-types.ts';

/** Frames from the root to a node, to find the same node in another tree. */
export function pathTo(tree: Tree, node: number): number[] {
  const path: number[] = [];
  for (let at = node; at >= 0; at = tree.parent[at] as number) path.unshift(tree.frame[at] as number);
  return path;
}

/** The node of a path, or of the longest part of it that the tree has. */
export function findPath(tree: Tree, path: readonly number[]): number {
  let node = 0;
  for (const frame of path.slice(1)) {
    const child = childrenOf(tree, node).find((at) => tree.frame[at] === frame);
    if (child === undefined) return node;
    node = child;
  }
  return node;
}

export type Step = 'caller' | 'callee' | 'left' | 'right';

/** The neighbour in a direction, or the same node if there is none. The callee is the largest one. */
export function stepFrom(tree: Tree, node: number, step: Step): number {
  if (step === 'caller') return Math.max(0, tree.parent[node] as number);
  if (step === 'callee') return largestChild(tree, node) ?? node;
  if (node === 0) return 0;
  const siblings = childrenOf(tree, tree.parent[node] as number);
  return siblings[siblings.indexOf(node) + (step === 'left' ? -1 : 1)] ?? node;
}

function largestChild(tree: Tree, node: number): number | undefined {
  const { width } = tree.sums;
  const size = (at: number) =>
    (width[tree.last[at] as number] as number) - (width[tree.first[at] as number] as number);
  const children = childrenOf(tree, node);
  return children.reduce<number | undefined>(
    (largest, at) => (largest === undefined || size(at) > size(largest) ? at : largest),
    undefined,
  );
}
