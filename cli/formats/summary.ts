import type { Format } from './format.ts';

export const summary: Format = {
  name: 'summary',
  summary: 'one screen of text',
  isPage: true,
  render: async (profile, _, look) => {
    const { summaryView } = await import('./summary/summary-page.ts');
    return summaryView(profile, look);
  },
  renderDiff: async ({ sides, gates }, look) => {
    const [{ diffOf }, { diffView }] = await Promise.all([
      import('../../metrics/diff.ts'),
      import('./summary/diff-page.ts'),
    ]);
    return diffView(diffOf(sides, gates), look);
  },
};
