import type { MetadataLine } from '../../metrics/metadata-schema.ts';
import { jsonText } from '../plain-text.ts';
import type { Format, SampleWriter } from './format.ts';

export const jsonl: Format = {
  name: 'jsonl',
  summary: 'JSON lines: metadata, a sample per --interval, the result',
  samples: loadSampleWriter,
  render: ({ profile }) => jsonText(profile),
};

async function loadSampleWriter(): Promise<SampleWriter> {
  const { metadataOf } = await import('../../metrics/profile.ts');
  return {
    begin: (facts) =>
      jsonText({ kind: 'metadata', schema: 'btprof/1', ...metadataOf(facts) } satisfies MetadataLine),
    sample: (sample) => jsonText(sample),
  };
}
