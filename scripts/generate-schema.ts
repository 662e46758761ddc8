/** Writes docs/schema.json, the JSON Schema of all JSON that btprof prints, from the zod schemas. */
import { writeFileSync } from 'node:fs';
import { PROFILERS } from '../bt/profilers/profiler-registry.ts';
import { jsonSchemaText } from '../metrics/schema.ts';

writeFileSync(new URL('../docs/schema.json', import.meta.url), jsonSchemaText(PROFILERS));
