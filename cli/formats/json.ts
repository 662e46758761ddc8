import type { Format } from './format.ts';

export const json: Format = {
  name: 'json',
  summary: 'the whole result as one JSON document',
  hasFlag: true,
  render: ({ profile }) => indented(profile),
  renderDiff: async ({ sides, gates, measurements }) => {
    const { diffOf } = await import('../../metrics/profile-diff.ts');
    return indented(diffOf(sides, measurements, gates));
  },
};

function indented(result: object): string {
  return `${JSON.stringify(result, null, 2)}\n`;
}
