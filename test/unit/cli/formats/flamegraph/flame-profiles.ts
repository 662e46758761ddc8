import { gunzipSync } from 'node:zlib';
import { PROFILERS } from '../../../../../bt/profilers/profiler-registry.ts';
import { encodeProfile } from '../../../../../cli/formats/flamegraph/encode.ts';
import { decodeProfile, type FlameProfile } from '../../../../../cli/formats/flamegraph/flame-profile.ts';
import type { FlameStack } from '../../../../../cli/formats/flamegraph/flame-stack.ts';
import { coloursOf, eventWordsOf } from '../../../../../cli/formats/flamegraph/kind-looks.ts';
import { buildTree, type View } from '../../../../../cli/formats/flamegraph/tree.ts';
import type { Tree } from '../../../../../cli/formats/flamegraph/tree-types.ts';

export const COLOURS = coloursOf(PROFILERS);
export const EVENTS = eventWordsOf(PROFILERS);

/** The profile as embedded in the page. */
export function profileOf(stacks: readonly FlameStack[]): FlameProfile {
  return decodeProfile(gunzipSync(Buffer.from(encodeProfile(stacks, COLOURS, EVENTS), 'base64')));
}

export const ALL: View = {
  ...{ group: 'none', order: 'time', width: 'after', hidden: new Set() },
  ...{ user: true, kernel: true, idle: true },
};

export function treeOf(profile: FlameProfile, view: Partial<View> = {}): Tree {
  return buildTree(profile, { ...ALL, ...view });
}

/** The first node with this name. */
export function nodeNamed(profile: FlameProfile, tree: Tree, name: string): number {
  const frame = (node: number) => profile.frames[tree.frame[node] as number];
  return (
    Array.from({ length: tree.size }, (_, node) => node).find((node) => frame(node)?.name === name) ?? -1
  );
}
