import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { PROFILERS } from '../../../bt/profilers/profiler-registry.ts';
import { jsonSchemaText } from '../../../metrics/schema.ts';

test('docs/schema.json is up to date (npm run generate)', () => {
  const committed = readFileSync(new URL('../../../docs/schema.json', import.meta.url), 'utf8');
  expect(committed).toBe(jsonSchemaText(PROFILERS));
});

test('docs/schema.json follows draft 2020-12', () => {
  expect(JSON.parse(jsonSchemaText(PROFILERS))).toMatchObject({
    title: 'btprof/1',
    $schema: 'https://json-schema.org/draft/2020-12/schema',
  });
});
