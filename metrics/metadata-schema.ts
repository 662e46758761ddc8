/** The origin of a result, as zod schemas. */
import { z } from 'zod';
import { count, ns, pid } from './fields.ts';

const hostSchema = z.object({
  kernel: z.string(),
  arch: z.string(),
  cpus: count,
  hostname: z.string(),
});

export const metadataSchema = z.object({
  mode: z.enum(['run', 'attach', 'system']),
  pid: pid.nullable().describe('the command, or the first process attached to; null for the whole machine'),
  pids: z.array(pid).describe('the command, or all processes attached to'),
  cmd: z.array(z.string()),
  executable: z.string().nullable(),
  t0_ms: count.describe('start of the collection, ms since 1970'),
  wall_time_ns: ns,
  exit: z
    .object({ code: z.int().nullable(), signal: z.string().nullable() })
    .nullable()
    .describe('how the command ended; null if it is still running, or btprof did not start it'),
  processes: count.describe('processes followed'),
  threads: count.describe('threads followed'),
  host: hostSchema,
  btprof: z.string(),
  bpftrace: z.string(),
  profilers: z.array(z.string()),
  incomplete: z
    .boolean()
    .describe(
      'the collection was cut short: the figures are those of the last complete print, or lack some maps',
    ),
});

/** First line of a jsonl result: what is known before the collection. */
export const metadataLineSchema = metadataSchema
  .omit({ wall_time_ns: true, exit: true, processes: true, threads: true, incomplete: true })
  .extend({ kind: z.literal('metadata'), schema: z.literal('btprof/1') });

export type Metadata = z.infer<typeof metadataSchema>;
export type MetadataLine = z.infer<typeof metadataLineSchema>;
export type HostInfo = z.infer<typeof hostSchema>;
