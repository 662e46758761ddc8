/** The JSON of `btprof diff`, as a zod schema. */
import { z } from 'zod';
import { changeSchema as change, figureSchema as figure } from './diff-part.ts';
import type { Measurement } from './measurement.ts';

const waits = { time_ns: change, waits: change };

/**
 * @param metadata the schema of a run's metadata
 */
export function diffSchemaOf<M extends z.ZodType>(metadata: M, measurements: readonly Measurement[]) {
  const side = z.array(z.object({ file: z.string(), metadata }));
  const [withStacks, others] = shapesOf(measurements);
  return z.object({
    kind: z.literal('diff'),
    schema: z.literal('btprof/1'),
    before: side,
    after: side,
    notes: z.array(z.string()).describe('what else differs, one sentence each'),
    account: z
      .object({
        wall_time_ns: change,
        on_cpu_ns: change.optional(),
        off_cpu_ns: change.optional(),
        miscounted_ns: change.optional(),
        unaccounted_ns: change.optional(),
      })
      .describe('all but the wall time when all runs have an account'),
    ...withStacks,
    call_chains: z
      .array(z.object({ kind: z.string(), idle: z.boolean(), functions: z.string(), ...waits }))
      .describe('stacks that share a kind and the functions that the summary shows'),
    stacks: z
      .array(
        z.object({
          comm: z.string().nullable(),
          kind: z.string().describe('a reason, on_cpu or unaccounted'),
          idle: z.boolean(),
          frames: z.array(z.string()).describe('root first; functions of the kernel end in _[k]'),
          ...waits,
        }),
      )
      .describe('stacks that share name of thread, kind and names of functions'),
    ...others,
    gates: z.array(
      z.object({
        gate: z.string(),
        crossed: z.boolean(),
        before: figure,
        after: figure,
        change: z.number(),
        relative: z.number().nullable(),
      }),
    ),
  });
}

/** The fields of the profilers with stacks, which come before the stacks, and those of the others. */
function shapesOf(measurements: readonly Measurement[]): [z.ZodRawShape, z.ZodRawShape] {
  const shape = (hasStacks: boolean): z.ZodRawShape =>
    Object.assign(
      {},
      ...measurements
        .filter(({ stacks }) => (stacks !== undefined) === hasStacks)
        .map(({ diff }) => diff?.shape ?? {}),
    );
  return [shape(true), shape(false)];
}
