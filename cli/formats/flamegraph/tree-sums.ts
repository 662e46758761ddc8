import { type FlameProfile, OPEN } from './flame-profile.ts';
import type { Sums, Tree } from './tree-types.ts';

export function sumsOf(
  { stacks, kinds, events }: FlameProfile,
  order: Int32Array,
  weight: Float64Array,
): Sums {
  const words = kinds.map((kind) => events[kind] ?? 'event');
  const isOf = (event: string, i: number) => words[stacks.kind[i] as number] === event;
  const isOpen = (i: number) => ((stacks.flags[i] as number) & OPEN) !== 0;
  const value = (column: Float64Array | undefined, i: number) => column?.[i] ?? 0;
  const running = (of: (stack: number) => number) => {
    const sums = new Float64Array(order.length + 1);
    for (let i = 0; i < order.length; i++) sums[i + 1] = (sums[i] as number) + of(order[i] as number);
    return sums;
  };
  return {
    width: running((i) => value(weight, i)),
    timeNs: running((i) => value(stacks.timeNs, i)),
    beforeNs: running((i) => value(stacks.beforeNs, i)),
    events: inOrder(words, events).map((event) => ({
      event,
      ended: running((i) => (isOf(event, i) ? value(stacks.count, i) : 0)),
      open: running((i) => (isOf(event, i) && isOpen(i) ? 1 : 0)),
    })),
    openNs: running((i) => (isOpen(i) ? value(stacks.timeNs, i) : 0)),
    kinds: kinds.map((_, kind) => running((i) => (stacks.kind[i] === kind ? value(weight, i) : 0))),
  };
}

/** Each word once, in the order of the profilers. */
function inOrder(words: readonly string[], events: FlameProfile['events']): string[] {
  return [...new Set([...Object.values(events), ...words])].filter((word) => words.includes(word));
}

/** A sum for a frame and all frames below it. */
export function sumOf(tree: Tree, sums: Float64Array, node: number): number {
  return (sums[tree.last[node] as number] as number) - (sums[tree.first[node] as number] as number);
}

/** Time of a frame and of all frames below it, as its width shows it, ns. */
export function totalNs(tree: Tree, node: number): number {
  return sumOf(tree, tree.sums.width, node);
}

/** Self time of a frame, ns. Its own stacks are to the right of those of its callees. */
export function selfNs(tree: Tree, node: number): number {
  let callees = tree.first[node] as number;
  for (const child of childrenOf(tree, node)) callees = tree.last[child] as number;
  const { width } = tree.sums;
  return (width[tree.last[node] as number] as number) - (width[callees] as number);
}

/** From left to right. */
export function childrenOf(tree: Tree, node: number): number[] {
  const children: number[] = [];
  for (let at = node + 1; at < (tree.end[node] as number); at = tree.end[at] as number) children.push(at);
  return children;
}

/** Index of the kind that has most of a frame's time. */
export function mainKind(tree: Tree, node: number): number {
  let [most, mostNs] = [0, -1];
  tree.sums.kinds.forEach((sums, kind) => {
    const ns = sumOf(tree, sums, node);
    if (ns > mostNs) [most, mostNs] = [kind, ns];
  });
  return most;
}

/** The growth of a frame as a share of all: -1 to 1. */
export function changeOf(tree: Tree, node: number): number {
  const { timeNs, beforeNs } = tree.sums;
  const all = Math.max(sumOf(tree, timeNs, 0), sumOf(tree, beforeNs, 0));
  return all > 0 ? (sumOf(tree, timeNs, node) - sumOf(tree, beforeNs, node)) / all : 0;
}
