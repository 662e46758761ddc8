import type { Format } from './format.ts';

export const json: Format = {
  name: 'json',
  summary: 'the whole result as one JSON document',
  hasFlag: true,
  render: indented,
  renderDiff: async ({ sides, gates }) => {
    const { diffOf } = await import('../../metrics/diff.ts');
    return indented(diffOf(sides, gates));
  },
};

function indented(result: object): string {
  return `${JSON.stringify(result, null, 2)}\n`;
}
