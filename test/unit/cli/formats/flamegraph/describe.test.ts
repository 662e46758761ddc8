import { describe, expect, it } from 'vitest';
import { describeFrame, sentenceOf } from '../../../../../cli/formats/flamegraph/describe.ts';
import type { FlameStack } from '../../../../../cli/formats/flamegraph/flame-stack.ts';
import { frameOf, stackOf } from '../flame-frames.ts';
import { nodeNamed, profileOf, treeOf } from './flame-profiles.ts';

function described(stacks: FlameStack[], name: string, zoom = 'all') {
  const profile = profileOf(stacks);
  const tree = treeOf(profile);
  return describeFrame(profile, tree, nodeNamed(profile, tree, name), nodeNamed(profile, tree, zoom));
}

const STACKS = [
  stackOf('main wait', 3e9, { count: 1009 }),
  stackOf('main', 1e9, { kind: 'on_cpu', count: 23 }),
];

describe('describeFrame', () => {
  it('shows time, share, self time, counts and reasons', () => {
    expect(described(STACKS, 'main')).toEqual({
      name: 'main',
      what: 'user function · /usr/bin/worker',
      facts: [
        ['time', '4.00 s, 100.0 % of all'],
        ['self', '1.00 s'],
        ['count', '1,009 waits, 23 samples'],
        ['for', 'lock 75.0 %, on the CPU 25.0 %'],
      ],
    });
  });

  it('also shows the share of the zoomed frame', () => {
    expect(described(STACKS, 'wait', 'main').facts[0]).toEqual([
      'time',
      '3.00 s, 75.0 % of all, 75.0 % of the zoomed frame',
    ]);
  });

  it('marks kernel frames and inlined frames', () => {
    const inlined = { ...stackOf('', 1), frames: [frameOf('f', { inlined: true, file: 'src/f.c' })] };
    expect(described([inlined], 'f').what).toBe('user function, inlined · /usr/bin/worker · src/f.c');
    expect(described([stackOf('wait_k', 1)], 'wait_k').what).toBe('kernel function · [kernel]');
  });

  it('shows waits that had not ended', () => {
    const open = stackOf('main wait', 1e9, { open: true, count: 0 });
    expect(sentenceOf(described([open], 'wait'))).toContain('not ended 1 wait; for lock');
    expect(described([open, ...STACKS], 'wait').facts).toContainEqual(['not ended', '1 wait, 1.00 s']);
  });

  it('shows before, after and the change in a comparison', () => {
    const stacks = [stackOf('a', 1e9, { beforeNs: 3e9 }), stackOf('b', 1e9, { beforeNs: 1e9 })];
    expect(described(stacks, 'a').facts.slice(0, 3)).toEqual([
      ['before', '3.00 s'],
      ['after', '1.00 s'],
      ['change', '−2.00 s (−50.0 % of all)'],
    ]);
  });
});
