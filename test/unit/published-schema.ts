import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'vitest';
import { PROFILERS } from '../../bt/profilers/profiler-registry.ts';
import { schemasOf } from '../../metrics/schema.ts';

const schema = JSON.parse(readFileSync(new URL('../../docs/schema.json', import.meta.url), 'utf8'));
const { outputSchema } = schemasOf(PROFILERS);
/** As JSON Schema validators do: returns whether it fits, and sets `errors`. */
export const validate = new Ajv2020({ strict: false }).compile(schema);

/** Fails unless docs/schema.json and the zod schema both accept the output as printed. */
export function expectValid(output: unknown): void {
  const printed = JSON.parse(JSON.stringify(output));
  expect(validate(printed) ? [] : validate.errors).toEqual([]);
  expect(outputSchema.parse(printed)).toEqual(printed);
}
