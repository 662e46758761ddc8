import { formatNs, formatShare, plural } from '../../../metrics/units.ts';
import { type FlameFrame, type FlameProfile, kindLabel } from './flame-profile.ts';
import { selfNs, sumOf, totalNs } from './tree-sums.ts';
import type { Tree } from './tree-types.ts';

/** The description of a frame. */
export interface Description {
  readonly name: string;
  /** `kernel function, inlined`, and the files it is in. */
  readonly what: string;
  readonly facts: readonly (readonly [label: string, value: string])[];
}

/** Describes a frame for the tooltip. */
export function describeFrame(profile: FlameProfile, tree: Tree, node: number, zoom: number): Description {
  const frame = profile.frames[tree.frame[node] as number] as FlameFrame;
  const self = selfNs(tree, node);
  return {
    name: frame.name,
    what: [whatIs(frame), frame.module, frame.source].filter((part) => part).join(' · '),
    facts: [
      ...timeFacts(profile, tree, node, zoom),
      ...(self > 0 && self < totalNs(tree, node) ? [['self', formatNs(self)] as const] : []),
      ...countFacts(tree, node),
      ...openFacts(tree, node),
      ['for', kindShares(profile, tree, node)],
    ],
  };
}

/** Describes a frame in one line. */
export function sentenceOf({ name, what, facts }: Description): string {
  return [name, what, ...facts.map(([label, value]) => `${label} ${value}`)]
    .filter((part) => part !== '')
    .join('; ');
}

function whatIs({ kind, inlined }: FlameFrame): string {
  const words = { user: 'user function', kernel: 'kernel function', none: '', group: '' }[kind];
  return inlined ? `${words}, inlined` : words;
}

type Fact = readonly [label: string, value: string];

function timeFacts(profile: FlameProfile, tree: Tree, node: number, zoom: number): Fact[] {
  const all = totalNs(tree, 0);
  const here =
    zoom > 0 ? `, ${formatShare(totalNs(tree, node), totalNs(tree, zoom))} of the zoomed frame` : '';
  const share = `${formatShare(totalNs(tree, node), all)} of all${here}`;
  if (!profile.stacks.beforeNs) return [['time', `${formatNs(totalNs(tree, node))}, ${share}`]];
  const [after, before] = [sumOf(tree, tree.sums.timeNs, node), sumOf(tree, tree.sums.beforeNs, node)];
  return [
    ['before', formatNs(before)],
    ['after', formatNs(after)],
    ['change', `${signed(after - before, formatNs)} (${changeShare(tree, after - before)} of all)`],
    ['width', share],
  ];
}

/** The change as a share of the larger of both totals, as the colour shows it. */
function changeShare(tree: Tree, ns: number): string {
  const all = Math.max(sumOf(tree, tree.sums.timeNs, 0), sumOf(tree, tree.sums.beforeNs, 0));
  return signed(ns, (size) => formatShare(size, all));
}

function signed(number: number, format: (size: number) => string): string {
  return `${number < 0 ? '−' : '+'}${format(Math.abs(number))}`;
}

function countFacts(tree: Tree, node: number): Fact[] {
  const counts = eventCounts(tree, node, 'ended');
  return counts === '' ? [] : [['count', counts]];
}

function openFacts(tree: Tree, node: number): Fact[] {
  const open = eventCounts(tree, node, 'open');
  if (open === '') return [];
  const ns = sumOf(tree, tree.sums.openNs, node);
  const all = ns === sumOf(tree, tree.sums.timeNs, node);
  return [['not ended', all ? open : `${open}, ${formatNs(ns)}`]];
}

/** `3 waits, 5 samples`. */
function eventCounts(tree: Tree, node: number, which: 'ended' | 'open'): string {
  return tree.sums.events
    .map(({ event, [which]: sums }) => ({ event, count: sumOf(tree, sums, node) }))
    .filter(({ count }) => count > 0)
    .map(({ event, count }) => plural(count, event))
    .join(', ');
}

/** `lock 80.0 %, disk 20.0 %`. */
function kindShares({ kinds }: FlameProfile, tree: Tree, node: number): string {
  const all = totalNs(tree, node);
  const parts = tree.sums.kinds
    .map((sums, kind) => [kindLabel(kinds[kind] ?? ''), sumOf(tree, sums, node)] as const)
    .filter(([, ns]) => ns > 0)
    .sort(([, a], [, b]) => b - a);
  if (parts.length === 1) return parts[0]?.[0] ?? '';
  return parts.map(([label, ns]) => `${label} ${formatShare(ns, all)}`).join(', ');
}
