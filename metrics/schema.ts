/**
 * The JSON that btprof prints, as zod schemas. The JSON Schema in docs/ is generated from here.
 *
 * Times are integers in ns unless the name says otherwise. What denet's eBPF module defines keeps its name, type
 * and unit (github.com/btraven00/denet, src/ebpf/metrics.rs); the rest is btprof's own.
 */
import { z } from 'zod';
import { type Account, accountSchema } from './account-schema.ts';
import { diffSchemaOf } from './diff-schema.ts';
import { count, ns } from './fields.ts';
import type { IntervalParts, Measurement, Parts } from './measurement.ts';
import { metadataLineSchema, metadataSchema } from './metadata-schema.ts';
import { type Quality, qualitySchema } from './quality-schema.ts';

/** Fields of every profile; the parts of the profilers are in `ebpf`. */
const profileFields = {
  kind: z.literal('profile'),
  schema: z.literal('btprof/1'),
  metadata: metadataSchema,
};
const accountField = {
  account: accountSchema.optional().describe('with offcpu, and where the kernel has BTF'),
};
const sampleFields = {
  kind: z.literal('sample'),
  ts_ms: count.describe('end of the interval, ms since 1970'),
  interval_ns: ns,
};

export const doctorSchema = z.object({
  kind: z.literal('doctor'),
  schema: z.literal('btprof/1'),
  ok: z.boolean().describe('whether this host can profile'),
  checks: z.array(
    z.object({
      name: z.string(),
      status: z.enum(['ok', 'limited', 'failed', 'skipped']),
      detail: z.string(),
      fix: z.string().nullable().describe('how to fix it'),
    }),
  ),
});

/** Makes the schemas of all JSON that btprof prints, with the parts of these profilers. */
export function schemasOf(measurements: readonly Measurement[]) {
  const parts = (schemaOf: (measurement: Measurement) => z.ZodType) =>
    z.object(Object.fromEntries(measurements.map((one) => [one.name, schemaOf(one).optional()])));
  const profileSchema = z.object({
    ...profileFields,
    ebpf: parts(({ schema }) => schema),
    ...accountField,
    quality: qualitySchema,
  });
  const sampleSchema = z.object({
    ...sampleFields,
    ebpf: parts(({ schema, intervalSchema }) => intervalSchema ?? schema),
  });
  const diffSchema = diffSchemaOf(metadataSchema, measurements);
  const outputSchema = z.discriminatedUnion('kind', [
    profileSchema,
    sampleSchema,
    metadataLineSchema,
    doctorSchema,
    diffSchema,
  ]);
  return { profileSchema, sampleSchema, diffSchema, outputSchema };
}

/** The JSON Schema (draft 2020-12) of every document and line that btprof prints. */
export function jsonSchemaText(measurements: readonly Measurement[]): string {
  const schema = z.toJSONSchema(schemasOf(measurements).outputSchema, { target: 'draft-2020-12' });
  return `${JSON.stringify({ title: 'btprof/1', ...schema }, null, 2)}\n`;
}

export type Doctor = z.infer<typeof doctorSchema>;
export type DoctorCheck = Doctor['checks'][number];
export type Diff = z.infer<ReturnType<typeof diffSchemaOf<typeof metadataSchema>>>;

type Fields<Shape extends z.ZodRawShape> = z.infer<z.ZodObject<Shape>>;
export type Profile = Fields<typeof profileFields> & {
  ebpf: Parts;
  account?: Account | undefined;
  quality: Quality;
};
export type Sample = Fields<typeof sampleFields> & { ebpf: IntervalParts };
