import { describe, expect, it } from 'vitest';
import type { FlameProfile } from '../../../../../cli/formats/flamegraph/flame-profile.ts';
import { functionRows } from '../../../../../cli/formats/flamegraph/functions.ts';
import { layoutOf, rectAt } from '../../../../../cli/formats/flamegraph/layout.ts';
import { findPath, pathTo, stepFrom } from '../../../../../cli/formats/flamegraph/paths.ts';
import {
  changeOf,
  childrenOf,
  mainKind,
  selfNs,
  totalNs,
} from '../../../../../cli/formats/flamegraph/tree-sums.ts';
import type { Tree } from '../../../../../cli/formats/flamegraph/tree-types.ts';
import { manyStacks } from '../../../../../scripts/bench/flame-stacks.ts';
import { frameOf, stackOf } from '../flame-frames.ts';
import { nodeNamed, profileOf, treeOf } from './flame-profiles.ts';

/** One line `name time` per node, indented by depth. */
function outline(profile: FlameProfile, tree: Tree): string[] {
  return Array.from(
    { length: tree.size },
    (_, node) =>
      `${' '.repeat(tree.depth[node] as number)}${profile.frames[tree.frame[node] as number]?.name} ${totalNs(tree, node)}`,
  );
}

const STACKS = [
  stackOf('main read vfs_read_k', 30, { kind: 'disk', count: 3 }),
  stackOf('main wait futex_k', 50, { tid: 2, comm: 'helper' }),
  stackOf('main', 7, { kind: 'preempted' }),
  stackOf('main wait', 13, { idle: true, open: true, count: 0 }),
];

describe('buildTree', () => {
  it('merges the common frames of stacks, largest first', () => {
    const profile = profileOf(STACKS);
    expect(outline(profile, treeOf(profile))).toEqual([
      'all 100',
      ' main 100',
      '  wait 63',
      '   futex_k 50',
      '  read 30',
      '   vfs_read_k 30',
    ]);
  });

  it('orders by name on request', () => {
    const profile = profileOf(STACKS);
    const names = outline(profile, treeOf(profile, { order: 'name' }));
    expect(names.slice(2, 4)).toEqual(['  read 30', '   vfs_read_k 30']);
  });

  it('groups by thread, process and reason', () => {
    const profile = profileOf(STACKS);
    const roots = (group: 'thread' | 'process' | 'kind') =>
      outline(profile, treeOf(profile, { group })).filter((line) => /^ \S/.test(line));
    expect(roots('thread')).toEqual([' helper:2 50', ' worker:1 50']);
    expect(roots('process')).toEqual([' worker, pid 1 100']);
    expect(roots('kind')).toEqual([' lock 63', ' disk 30', ' preempted 7']);
  });

  it('merges stacks that differ only in hidden frames', () => {
    const profile = profileOf([
      stackOf('main a_k wait', 1),
      stackOf('main b_k wait', 2),
      stackOf('main b_k', 4),
    ]);
    const tree = treeOf(profile, { kernel: false });
    expect(outline(profile, tree)).toEqual(['all 7', ' main 7', '  wait 3']);
    expect(selfNs(tree, 1)).toBe(4);
  });

  it('omits idle waits and reasons that are switched off', () => {
    const profile = profileOf(STACKS);
    expect(totalNs(treeOf(profile, { idle: false }), 0)).toBe(87);
    const disk = profile.kinds.indexOf('disk');
    expect(totalNs(treeOf(profile, { hidden: new Set([disk]) }), 0)).toBe(70);
    expect(outline(profile, treeOf(profile, { hidden: new Set([0, 1, 2]) }))).toEqual(['all 0']);
  });

  it('separates inlined functions and functions of other files', () => {
    const frames = [frameOf('f'), frameOf('f', { inlined: true }), frameOf('f', { module: '/lib/b.so' })];
    const profile = profileOf(frames.map((frame) => ({ ...stackOf('', 1), frames: [frame] })));
    expect(treeOf(profile).size).toBe(4);
  });

  it('has exact sums: a frame is as wide as its callees plus its self time', {
    timeout: 60_000,
  }, () => {
    const stacks = manyStacks(2003);
    const profile = profileOf(stacks);
    for (const group of ['none', 'thread', 'kind'] as const) {
      const tree = treeOf(profile, { group });
      expect(totalNs(tree, 0)).toBe(stacks.reduce((sum, { timeNs }) => sum + timeNs, 0));
      for (let node = 0; node < tree.size; node++) {
        const callees = childrenOf(tree, node).reduce((sum, child) => sum + totalNs(tree, child), 0);
        if (callees + selfNs(tree, node) !== totalNs(tree, node)) throw new Error(`frame ${node}`);
      }
    }
  });

  it('handles stacks of 5,000 frames', () => {
    const names = Array.from({ length: 5000 }, (_, i) => `f${i}`).join(' ');
    expect(treeOf(profileOf([stackOf(names, 1)])).size).toBe(5001);
  });

  it('in a comparison, uses one side for widths and the change for colours', () => {
    const profile = profileOf([
      stackOf('main grew', 60, { beforeNs: 20 }),
      stackOf('main shrank', 40, { beforeNs: 60 }),
      stackOf('main gone', 0, { beforeNs: 20 }),
    ]);
    const after = treeOf(profile);
    const before = treeOf(profile, { width: 'before' });
    expect([totalNs(after, 0), totalNs(before, 0)]).toEqual([100, 100]);
    const change = (name: string) => changeOf(after, nodeNamed(profile, after, name));
    expect([change('grew'), change('shrank'), change('gone'), changeOf(after, 0)]).toEqual([
      0.4, -0.2, -0.2, 0,
    ]);
    expect(totalNs(before, nodeNamed(profile, before, 'gone'))).toBe(20);
  });
});

describe('mainKind', () => {
  it('returns the kind with most of the time', () => {
    const profile = profileOf(STACKS);
    expect(profile.kinds[mainKind(treeOf(profile), 0)]).toBe('lock');
  });
});

describe('layoutOf', () => {
  it('fills the whole width', () => {
    const profile = profileOf(manyStacks(2003));
    const tree = treeOf(profile);
    const { rows } = layoutOf(tree, 0, 1280);
    for (const row of rows.slice(0, 20)) {
      expect(Math.min(...row.map(({ x }) => x))).toBe(0);
      expect((row.at(-1)?.x ?? 0) + (row.at(-1)?.width ?? 0)).toBeCloseTo(1280, 6);
      for (const [i, { x }] of row.entries())
        expect(Math.abs(x - (row[i - 1]?.x ?? 0) - (row[i - 1]?.width ?? 0))).toBeLessThan(0.25);
    }
  });

  it('merges frames that are too narrow', () => {
    const stacks = Array.from({ length: 101 }, (_, i) => stackOf(`main part${i}`, 1));
    const profile = profileOf([stackOf('main long', 1e6), ...stacks]);
    const { rows } = layoutOf(treeOf(profile), 0, 1000);
    expect(rows[2]).toHaveLength(2);
    expect(rows[2]?.[1]).toMatchObject({ narrow: 101 });
  });

  it('gives a zoomed frame and its callers the full width', () => {
    const profile = profileOf(STACKS);
    const tree = treeOf(profile);
    const layout = layoutOf(tree, nodeNamed(profile, tree, 'read'), 600);
    expect(layout.rows.map((row) => row.map(({ width }) => width))).toEqual([[600], [600], [600], [600]]);
    expect(rectAt(layout, 599, 3)?.node).toBe(nodeNamed(profile, tree, 'vfs_read_k'));
    expect(rectAt(layout, 5, 4)).toBeUndefined();
  });
});

describe('functionRows', () => {
  it('count recursion once', () => {
    const profile = profileOf([stackOf('f g f', 5), stackOf('f h', 2)]);
    const rows = functionRows(profile, treeOf(profile), 0).map(({ frame, ...times }) => ({
      name: profile.frames[frame]?.name,
      ...times,
    }));
    expect(rows).toEqual([
      { name: 'f', selfNs: 5, totalNs: 7 },
      { name: 'g', selfNs: 0, totalNs: 5 },
      { name: 'h', selfNs: 2, totalNs: 2 },
    ]);
  });
});

describe('paths', () => {
  it('find the same frame in another tree, or its nearest visible caller', () => {
    const profile = profileOf(STACKS);
    const tree = treeOf(profile);
    const path = pathTo(tree, nodeNamed(profile, tree, 'futex_k'));
    expect(findPath(tree, path)).toBe(nodeNamed(profile, tree, 'futex_k'));
    const user = treeOf(profile, { kernel: false });
    expect(findPath(user, path)).toBe(nodeNamed(profile, user, 'wait'));
  });

  it('lead to callers, callees and neighbours', () => {
    const profile = profileOf(STACKS);
    const tree = treeOf(profile);
    const [wait, read] = ['wait', 'read'].map((name) => nodeNamed(profile, tree, name)) as [number, number];
    expect(stepFrom(tree, 1, 'callee')).toBe(wait);
    expect(stepFrom(tree, wait, 'right')).toBe(read);
    expect(stepFrom(tree, read, 'right')).toBe(read);
    expect(stepFrom(tree, read, 'left')).toBe(wait);
    expect(stepFrom(tree, wait, 'caller')).toBe(1);
    expect(stepFrom(tree, 0, 'caller')).toBe(0);
  });
});
