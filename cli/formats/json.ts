import { jsonText } from '../plain-text.ts';
import type { Format } from './format.ts';

export const json: Format = {
  name: 'json',
  summary: 'the whole result as one JSON document',
  hasFlag: true,
  render: ({ profile }) => jsonText(profile, 2),
  renderDiff: async ({ sides, gates, measurements }) => {
    const { diffOf } = await import('../../metrics/profile-diff.ts');
    return jsonText(diffOf(sides, measurements, gates), 2);
  },
};
