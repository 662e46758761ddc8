import type { Format } from './format.ts';

export const flamegraph: Format = {
  name: 'flamegraph',
  summary: 'an interactive flame graph in one HTML file; needs no network',
  render: async (result) => {
    const { flamegraphPage } = await import('./flamegraph/flamegraph-page.ts');
    return flamegraphPage(result);
  },
  renderDiff: async ({ sides, measurements }) => {
    const { diffFlamegraph } = await import('./flamegraph/diff-flamegraph.ts');
    return diffFlamegraph(sides, measurements);
  },
};
