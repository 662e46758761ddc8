/**
 * The JSON that btprof prints, as zod schemas. The JSON Schema in docs/ is generated from here.
 *
 * Times are integers in ns unless the name says otherwise. What denet's eBPF module defines keeps its name, type
 * and unit (github.com/btraven00/denet, src/ebpf/metrics.rs); the rest is btprof's own.
 */
import { z } from 'zod';
import { diffSchemaOf } from './diff-schema.ts';
import {
  count,
  ns,
  offcpuSchema,
  oncpuSchema,
  pid,
  reason,
  sampleOffcpuSchema,
  signed,
  syscallsSchema,
} from './ebpf-schema.ts';

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
    .describe('how the command ended; null when it runs still, or was not ours to start'),
  processes: count.describe('processes followed'),
  threads: count.describe('threads followed'),
  host: hostSchema,
  btprof: z.string(),
  bpftrace: z.string(),
  profilers: z.array(z.string()),
  incomplete: z.boolean().describe('the collection was cut short: the figures are those of its last print'),
});

export const qualitySchema = z.object({
  lost_events: count.describe('events that the kernel had no room to send'),
  switches_unseen: count.describe(
    'context switches into followed threads that ran no BPF program; the waits they ended are mended from the times of the scheduler, or missing where there is no BTF',
  ),
  waits_missed: count.describe('waits that are missing, because the switch that began them ran no program'),
  runs_skipped: count.describe(
    'how often, for any process, the kernel ran no program of ours because another one ran on that CPU: at most so many switches were not seen',
  ),
  dropped_lines: count.describe('lines of bpftrace that could not be read'),
  map_full: count.describe('kernel maps that reached their limit: their counts are too small'),
  kernel_errors: count.describe('lines in which bpftrace reported an error of the running program'),
  stacks_missing: count.describe('waits whose kernel or user stack could not be read'),
  frames_total: count,
  frames_unresolved: count.describe('frames without a symbol'),
  frames_cut: count.describe('frames left out because they were no code'),
  stacks_incomplete: count.describe('waits whose user stack is known to lack callers'),
  symbols_unread: count.describe('how often names or lines of a file could not be read, or not in whole'),
  overhead: z
    .object({
      bpf_time_ns: ns.describe('how long our programs ran, on all CPUs together'),
      bpf_events: count.describe('how often one ran'),
      ns_per_event: z.number().describe('bpf_time_ns by bpf_events, to 0.1'),
      events_per_second: z.number().describe('bpf_events by wall_time_ns, to 0.1'),
      cpu_share: z.number().describe('of one CPU: bpf_time_ns by wall_time_ns'),
      timed_ns: ns.describe('for how long the kernel timed them: the rest is estimated from that'),
    })
    .nullable()
    .describe(
      "by the kernel's own count; null when it was not asked, when bpftrace ended by itself, or when it does not tell: then a hint says why",
    ),
  footprint: z
    .object({
      cpu_time_ns: ns.describe('of btprof and bpftrace while the collection lasted, to 10 ms'),
      cpu_share: z.number().describe('of one CPU: cpu_time_ns by wall_time_ns'),
      btprof_peak_bytes: count.describe('resident memory, the most until the maps had been read'),
      bpftrace_peak_bytes: count,
      map_bytes: count.describe("memory of the kernel's maps"),
    })
    .nullable()
    .describe(
      'what btprof and bpftrace took besides our programs; null when that was not asked for, and when bpftrace ended by itself',
    ),
  warnings: z.array(z.string()),
  hints: z.array(z.string()).describe('what would show more'),
});

export const accountSchema = z
  .object({
    threads: count.describe(
      'threads whose lifetime and time on the CPU are known: all others are left out here',
    ),
    threads_unknown: count,
    thread_time_ns: ns.describe('how long they lived within the collection, together'),
    on_cpu_ns: signed.describe("by the scheduler's own count"),
    off_cpu_ns: z
      .partialRecord(reason, ns)
      .describe('by our waits, also those that had not ended; preempted is time in the run queue'),
    idle_ns: z.partialRecord(reason, ns).describe('the part of off_cpu_ns that was waiting for work to come'),
    miscounted_ns: signed.describe(
      'what on_cpu_ns is wrong by: time on a CPU, from switch to switch, that the scheduler did not count; below 0 when it counted more than there was',
    ),
    unaccounted_ns: signed.describe('what none of them has; below 0 when they overlap'),
    run_delay_ns: signed.describe(
      "how long they were ready and had no CPU, by the scheduler's own count: all of preempted, and the end of other waits",
    ),
    by_thread: z
      .record(
        z.string().regex(/^\d+:\d+$/),
        z.object({
          comm: z.string().nullable(),
          time_ns: ns,
          on_cpu_ns: signed,
          miscounted_ns: signed,
          off_cpu_ns: ns,
        }),
      )
      .describe('each of the threads: what is left of time_ns is unaccounted'),
  })
  .describe(
    'where the time of all threads went: thread_time = on_cpu + miscounted + all of off_cpu + unaccounted',
  );

export const profileSchema = z.object({
  kind: z.literal('profile'),
  schema: z.literal('btprof/1'),
  metadata: metadataSchema,
  ebpf: z.object({
    offcpu: offcpuSchema.optional(),
    oncpu: oncpuSchema.optional(),
    syscalls: syscallsSchema.optional(),
  }),
  account: accountSchema.optional().describe('with offcpu, and where the kernel has BTF'),
  quality: qualitySchema,
});

export const sampleSchema = z.object({
  kind: z.literal('sample'),
  ts_ms: count.describe('end of the interval, ms since 1970'),
  interval_ns: ns,
  ebpf: z.object({
    offcpu: sampleOffcpuSchema.optional(),
    oncpu: oncpuSchema.optional(),
    syscalls: syscallsSchema.optional(),
  }),
});

/** First line of a jsonl result: what is known before the collection. */
export const metadataLineSchema = metadataSchema
  .omit({ wall_time_ns: true, exit: true, processes: true, threads: true, incomplete: true })
  .extend({ kind: z.literal('metadata'), schema: z.literal('btprof/1') });

export const doctorSchema = z.object({
  kind: z.literal('doctor'),
  schema: z.literal('btprof/1'),
  ok: z.boolean().describe('whether this host can profile'),
  checks: z.array(
    z.object({
      name: z.string(),
      status: z.enum(['ok', 'limited', 'failed', 'skipped']),
      detail: z.string(),
      fix: z.string().nullable().describe('what mends it'),
    }),
  ),
});

export const diffSchema = diffSchemaOf(metadataSchema);

/** Every JSON document and line that btprof prints. */
export const outputSchema = z.discriminatedUnion('kind', [
  profileSchema,
  sampleSchema,
  metadataLineSchema,
  doctorSchema,
  diffSchema,
]);

export type Profile = z.infer<typeof profileSchema>;
export type Sample = z.infer<typeof sampleSchema>;
export type MetadataLine = z.infer<typeof metadataLineSchema>;
export type Doctor = z.infer<typeof doctorSchema>;
export type DoctorCheck = Doctor['checks'][number];
export type Diff = z.infer<typeof diffSchema>;
export type Account = z.infer<typeof accountSchema>;
export type Metadata = z.infer<typeof metadataSchema>;
export type Quality = z.infer<typeof qualitySchema>;
export type HostInfo = z.infer<typeof hostSchema>;
