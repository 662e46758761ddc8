import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { PROFILERS } from '../../bt/profilers/profiler-registry.ts';
import { diffView, gatesView } from '../../cli/formats/summary/diff-page.ts';
import { judgeGate, parseGate } from '../../metrics/gates.ts';
import { diffOf } from '../../metrics/profile-diff.ts';
import { recorded } from './metrics/recorded-profiles.ts';

const LOOK = { columns: 100, colours: false, ascii: false, verbose: false };

test('docs/diff.md shows the page that btprof prints today for two recordings', () => {
  const [, command, shown] = /```console\n\$ (btprof diff .*)\n([\s\S]*?)\$ echo/.exec(
    readFileSync('docs/diff.md', 'utf8'),
  ) as RegExpExecArray;
  const side = (version: string) => [{ file: `demo-${version}.json`, profile: recorded(version, 'demo') }];
  const sides = { before: side('0.17'), after: side('0.27') };
  const gates = [...(command as string).matchAll(/--fail-if '([^']*)'/g)].map(([, text]) =>
    parseGate(text as string, PROFILERS),
  );
  const results = gates.map((gate) => judgeGate(gate, sides, PROFILERS));
  const page = diffView(diffOf(sides, PROFILERS), PROFILERS, LOOK);
  const metrics = gates.map(({ metric }) => metric);
  expect(shown).toBe(page + gatesView(results, metrics, false, PROFILERS, LOOK));
});
