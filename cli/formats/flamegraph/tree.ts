import { type FlameProfile, IDLE } from './flame-profile.ts';
import { sumsOf } from './tree-sums.ts';
import type { Tree } from './tree-types.ts';

/** Which part of the profile is shown, and how. */
export interface View {
  readonly group: 'none' | 'thread' | 'process' | 'kind';
  /** Order of frames beside one another. */
  readonly order: 'time' | 'name';
  readonly user: boolean;
  readonly kernel: boolean;
  readonly idle: boolean;
  /** Indices of kinds that are not shown. */
  readonly hidden: ReadonlySet<number>;
  /** The value that widths show; `before` only in comparisons. */
  readonly width: 'after' | 'before';
}

/** Builds the tree of the stacks that the view shows. Frame 0 is the root. */
export function buildTree(profile: FlameProfile, view: View): Tree {
  const shown = shownStacks(profile, view);
  const { frame, parent, nodeOf } = addStacks(profile, view, shown);
  const weight = weightOf(profile, view);
  const totals = new Float64Array(frame.length);
  shown.forEach((stack, i) => {
    totals[nodeOf[i] as number] = (totals[nodeOf[i] as number] as number) + (weight[stack] as number);
  });
  // Callers were created before their callees.
  for (let node = frame.length - 1; node > 0; node--) {
    const up = parent[node] as number;
    totals[up] = (totals[up] as number) + (totals[node] as number);
  }
  return inOrder(profile, { frame, parent, totals, shown, nodeOf }, view);
}

/** Whether a stack is shown. */
export function shownStacks({ stacks }: FlameProfile, view: View): number[] {
  const shown: number[] = [];
  for (let i = 0; i < stacks.length; i++) {
    const idle = ((stacks.flags[i] as number) & IDLE) !== 0;
    if ((view.idle || !idle) && !view.hidden.has(stacks.kind[i] as number)) shown.push(i);
  }
  return shown;
}

/** Time of each stack, ns. */
export function weightOf({ stacks }: FlameProfile, { width }: Pick<View, 'width'>): Float64Array {
  return width === 'before' ? (stacks.beforeNs ?? stacks.timeNs) : stacks.timeNs;
}

/** Puts each stack below its group. Nodes are in the order of creation. */
function addStacks(profile: FlameProfile, view: View, shown: number[]) {
  const { chains, stacks, frames } = profile;
  const groupOf = groupFrames(profile, view);
  if (view.group !== 'none') shown.sort((a, b) => groupOf(a) - groupOf(b) || a - b);
  const nodes = nodeMaker(frames.length, !view.user || !view.kernel);
  const root = nodes.make(-1, profile.groups.root);
  const hides = frames.map(
    ({ kind }) => (kind === 'user' && !view.user) || (kind === 'kernel' && !view.kernel),
  );
  // The node of each chain, below the group where it occurred last.
  const known = new Int32Array(chains.parent.length);
  const below = new Int32Array(chains.parent.length).fill(-1);
  const path: number[] = [];
  let [group, groupFrame] = [root, -1];
  const nodeOf = shown.map((stack) => {
    if (view.group !== 'none' && groupOf(stack) !== groupFrame) {
      groupFrame = groupOf(stack);
      group = nodes.make(root, groupFrame);
    }
    let chain = stacks.chain[stack] as number;
    path.length = 0;
    for (; chain >= 0 && below[chain] !== group; chain = chains.parent[chain] as number) path.push(chain);
    let node = chain < 0 ? group : (known[chain] as number);
    for (let i = path.length - 1; i >= 0; i--) {
      const at = path[i] as number;
      const frame = chains.frame[at] as number;
      if (!hides[frame]) node = nodes.child(node, frame);
      known[at] = node;
      below[at] = group;
    }
    return node;
  });
  return { frame: nodes.frame, parent: nodes.parent, nodeOf };
}

/** The frame that a stack is grouped under. */
function groupFrames({ groups, stacks }: FlameProfile, { group }: View): (stack: number) => number {
  if (group === 'thread') return (stack) => groups.thread + (stacks.thread[stack] as number);
  if (group === 'process') return (stack) => groups.processOf[stacks.thread[stack] as number] as number;
  return (stack) => groups.kind + (stacks.kind[stack] as number);
}

/** @param merges whether different chains can have the same frames, because some frames are hidden */
function nodeMaker(frames: number, merges: boolean) {
  const [frame, parent]: [number[], number[]] = [[], []];
  const children = new Map<number, number>();
  const make = (up: number, of: number) => {
    parent.push(up);
    return frame.push(of) - 1;
  };
  const child = (up: number, of: number) => {
    if (!merges) return make(up, of);
    const key = up * frames + of;
    const known = children.get(key);
    if (known !== undefined) return known;
    const node = make(up, of);
    children.set(key, node);
    return node;
  };
  return { frame, parent, make, child };
}

interface Unordered {
  readonly frame: readonly number[];
  readonly parent: readonly number[];
  readonly totals: Float64Array;
  readonly shown: readonly number[];
  readonly nodeOf: readonly number[];
}

/** Numbers frames and stacks from left to right. The own stacks of a frame are to the right of its callees. */
function inOrder(profile: FlameProfile, nodes: Unordered, view: View): Tree {
  const size = nodes.frame.length;
  const children = listsOf(size, nodes.parent);
  const own = listsOf(size, nodes.nodeOf);
  const column = () => new Int32Array(size);
  const tree = { frame: column(), parent: column(), depth: column(), end: column() };
  const [first, last, order] = [column(), column(), new Int32Array(nodes.shown.length)];
  const compare = comparison(profile, nodes, view);
  let [next, stacks] = [0, 0];
  const visit = (node: number, parent: number, depth: number) => {
    const at = next++;
    tree.frame[at] = nodes.frame[node] as number;
    tree.parent[at] = parent;
    tree.depth[at] = depth;
    first[at] = stacks;
    const [from, to] = [children.starts[node] as number, children.starts[node + 1] as number];
    if (to - from > 1) children.items.subarray(from, to).sort(compare);
    for (let i = from; i < to; i++) visit(children.items[i] as number, at, depth + 1);
    for (let i = own.starts[node] as number; i < (own.starts[node + 1] as number); i++)
      order[stacks++] = nodes.shown[own.items[i] as number] as number;
    tree.end[at] = next;
    last[at] = stacks;
  };
  visit(0, -1, 0);
  return { size, ...tree, first, last, sums: sumsOf(profile, order, weightOf(profile, view)) };
}

/** Groups indices by what they point to: the items of i are at starts[i] to starts[i + 1]. */
function listsOf(size: number, pointers: readonly number[]) {
  const starts = new Int32Array(size + 1);
  for (const to of pointers) if (to >= 0) starts[to + 1] = (starts[to + 1] as number) + 1;
  for (let i = 0; i < size; i++) starts[i + 1] = (starts[i + 1] as number) + (starts[i] as number);
  const filled = starts.slice(0, size);
  const items = new Int32Array(pointers.length);
  pointers.forEach((to, i) => {
    if (to < 0) return;
    items[filled[to] as number] = i;
    filled[to] = (filled[to] as number) + 1;
  });
  return { starts, items };
}

function comparison({ frames }: FlameProfile, { frame, totals }: Unordered, { order }: View) {
  const name = (node: number) => frames[frame[node] as number]?.name ?? '';
  const byName = (a: number, b: number) => (name(a) < name(b) ? -1 : name(a) > name(b) ? 1 : a - b);
  if (order === 'name') return byName;
  return (a: number, b: number) => (totals[b] as number) - (totals[a] as number) || byName(a, b);
}
