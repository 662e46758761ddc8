import { z } from 'zod';
import { outputSchema } from './schema.ts';

/** The JSON Schema (draft 2020-12) of every document and line that btprof prints. */
export function jsonSchemaText(): string {
  const schema = z.toJSONSchema(outputSchema, { target: 'draft-2020-12' });
  return `${JSON.stringify({ title: 'btprof/1', ...schema }, null, 2)}\n`;
}
