import type { Format } from './format.ts';

export const summary: Format = {
  name: 'summary',
  summary: 'one screen of text',
  isPage: true,
  render: async (result, _, look) => {
    const { summaryView } = await import('./summary/summary-page.ts');
    return summaryView(result, look);
  },
  renderDiff: async ({ sides, gates, measurements }, look) => {
    const [{ diffOf }, { diffView }] = await Promise.all([
      import('../../metrics/profile-diff.ts'),
      import('./summary/diff-page.ts'),
    ]);
    return diffView(diffOf(sides, measurements, gates), measurements, look);
  },
};
