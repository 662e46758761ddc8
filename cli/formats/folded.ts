import { InvalidArgumentError, Option } from 'commander';
import type { Root } from './folded/roots.ts';
import { ROOTS } from './folded/roots.ts';
import type { Format } from './format.ts';

export const folded: Format<{ readonly root?: readonly Root[] }> = {
  name: 'folded',
  summary: 'folded stacks in ns, for flamegraph.pl and inferno',
  options: [
    new Option('--root <list>', `begin folded stacks with LIST, any of ${ROOTS.join(', ')}`).argParser(
      parseRoots,
    ),
  ],
  render: async ({ profile, measurements }, { root = [] }) => {
    const [{ stacksOf }, { foldedView }] = await Promise.all([
      import('../../metrics/timed-stacks.ts'),
      import('./folded/folded-stacks.ts'),
    ]);
    return foldedView(stacksOf(profile, measurements), root);
  },
  renderDiff: async ({ sides, measurements }) => {
    const [{ diffStacks }, { diffFoldedView }] = await Promise.all([
      import('../../metrics/profile-diff.ts'),
      import('./folded/diff-folded.ts'),
    ]);
    return diffFoldedView(diffStacks(sides, measurements));
  },
};

function parseRoots(text: string): Root[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !ROOTS.some((root) => root === name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`${JSON.stringify(unknown)} is not one of ${ROOTS.join(', ')}.`);
  return names as Root[];
}
