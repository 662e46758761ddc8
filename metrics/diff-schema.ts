/** The JSON of `btprof diff`, as a zod schema. */
import { z } from 'zod';

const number = z.number();
const figure = z.object({ median: number, min: number, max: number }).describe('of all runs of that side');
const change = z
  .object({
    before: figure,
    after: figure,
    change: number.describe('from median to median'),
    relative: number
      .nullable()
      .describe('the change by the median before: 0.2 is 20 % more; null when that is not above 0'),
    noise: z
      .boolean()
      .nullable()
      .describe('whether it may be chance, by the rules in docs/diff.md; null when the runs do not tell'),
  })
  .describe('times in ns');
const waits = { time_ns: change, waits: change };

/** @param metadata of a run, as profiles have it */
export function diffSchemaOf<M extends z.ZodType>(metadata: M) {
  const side = z.array(z.object({ file: z.string(), metadata }));
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
    reasons: z
      .array(z.object({ reason: z.string(), ...waits }))
      .describe('waits that ended, and those that had not: so in all tables. Largest change first'),
    threads: z
      .array(z.object({ comm: z.string().nullable(), ...waits, threads: change }))
      .describe('threads of one name are one row'),
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
    syscalls: z
      .object({
        total: change,
        calls: z.array(
          z.object({
            name: z.string(),
            count: change,
            errors: change.optional().describe('when all runs have --syscall-times'),
          }),
        ),
      })
      .optional(),
    gates: z.array(
      z.object({
        gate: z.string(),
        crossed: z.boolean(),
        before: figure,
        after: figure,
        change: number,
        relative: number.nullable(),
      }),
    ),
  });
}
