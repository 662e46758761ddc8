/**
 * The JSON that btprof prints, as zod schemas. The JSON Schema in docs/ is generated from here.
 *
 * Times are integers in ns unless the name says otherwise. What denet's eBPF module defines keeps its name, type
 * and unit (github.com/btraven00/denet, src/ebpf/metrics.rs); the rest is btprof's own.
 */
import { z } from 'zod';
import { TASK_STATES } from '../bt/profilers/waits.ts';
import { diffSchemaOf } from './diff-schema.ts';
import { IDLE_KINDS } from './idle.ts';
import { REASONS } from './reasons.ts';
import { CATEGORIES } from './syscall-category.ts';

/** Sums may pass 2^53, where doubles are no longer exact: z.int() would refuse them. */
const whole = z.number().multipleOf(1).nonnegative().meta({ type: 'integer' });
const count = whole;
const ns = whole;
const signed = z.number().multipleOf(1).meta({ type: 'integer' });
const pid = z.int().nonnegative();
const share = z.number().min(0).max(1);
const index = z.int().nonnegative();

const state = z
  .enum(TASK_STATES)
  .describe(
    'state at switch-out, as in ps: R could run on, S sleeping, D in uninterruptible sleep; ? unknown',
  );

const reason = z
  .enum(REASONS)
  .describe(
    'what the wait was for, by its state and its kernel functions; preempted is time in the run queue',
  );
const waitSum = z.object({ time_ns: ns, count });
const idleKind = z.enum(IDLE_KINDS);
const idle = idleKind
  .nullable()
  .describe('what the thread was idle for, by the rules in docs/json.md; null when it waited within work');

const syscall = z
  .string()
  .nullable()
  .optional()
  .describe(
    'the system call that the wait was within, with 32-bit before those of that entry; null for none. With --syscall-times',
  );

const threadStats = z.object({
  tid: pid,
  comm: z.string().nullable().describe('name of the thread when last seen'),
  total_time_ns: ns,
  count,
  avg_time_ns: ns,
  max_time_ns: ns,
  min_time_ns: ns,
  lifetime_ns: ns.nullable().describe('how long the thread lived within the collection; null when unknown'),
});

const frame = z.object({
  address: z.string().regex(/^0x[0-9a-f]+$/),
  symbol: z.string().nullable(),
  module: z.string().nullable().describe('file mapped there, or [kernel] and kernel modules in brackets'),
  offset: ns
    .nullable()
    .describe('bytes from the start of the symbol, or of the file when there is no symbol'),
  mapping: index.optional().describe('index into mappings; none for kernel code and compiled code'),
  file: z.string().nullable().optional().describe('of the source; with --lines'),
  line: z.int().positive().nullable().optional().describe('in that file; with --lines'),
  inlined: z
    .boolean()
    .optional()
    .describe('whether the function is part of that of the next frame, which called it; with --lines'),
});

const mapping = z
  .object({
    start: z.string().regex(/^0x[0-9a-f]+$/),
    end: z.string().regex(/^0x[0-9a-f]+$/),
    file_offset: ns.describe('of start, bytes'),
    path: z.string(),
    build_id: z
      .string()
      .nullable()
      .describe('GNU build ID of the file, hexadecimal; null when it has none or was gone'),
  })
  .describe('where a file was mapped: enough to find names for its addresses on another machine');

const stack = z.object({
  pid,
  tid: pid,
  time_ns: ns,
  count,
  state,
  reason,
  idle,
  syscall,
  since_start: z
    .boolean()
    .describe(
      'the wait was on already when the collection began: it counts from there, with the kernel stack of then',
    ),
  user: z.array(index).describe('indices into frames, leaf first'),
  user_cut: count.describe('words after them that lie in no executable mapping: code without frame pointers'),
  user_incomplete: z
    .boolean()
    .describe('callers are known to be missing: that of the first frame, or those beyond the last one'),
  kernel: z.array(index).describe('indices into frames, leaf first'),
});

const stillBlocked = z.object({
  pid,
  tid: pid,
  comm: z.string().nullable(),
  blocked_ns: ns,
  state,
  reason,
  idle,
  syscall,
  since_start: z.boolean(),
  user: z.array(index),
  user_cut: count,
  user_incomplete: z.boolean(),
  kernel: z.array(index),
});

export const offcpuSchema = z.object({
  total_time_ns: ns,
  total_events: count,
  avg_time_ns: ns,
  max_time_ns: ns,
  min_time_ns: ns,
  thread_stats: z.record(z.string().regex(/^\d+:\d+$/), threadStats),
  top_blocking_threads: z
    .array(
      z.object({ pid, tid: pid, time_ms: z.number().nonnegative(), percentage: z.number().min(0).max(100) }),
    )
    .max(10),
  bottlenecks: z.array(z.string()),
  by_reason: z.partialRecord(reason, waitSum).describe('of all waits that ended'),
  undecided: z
    .record(z.string(), waitSum)
    .describe('waits whose reason is other, by the kernel function that they were in'),
  idle: z
    .object({ time_ns: ns, count, by_kind: z.partialRecord(idleKind, waitSum) })
    .describe('waits for work to come: part of all other sums'),
  still_blocked: z.array(stillBlocked).describe('waits that had not ended; not part of the totals'),
  stacks: z.array(stack).describe('every wait, added up by thread, state and stack'),
  frames: z.array(frame),
  mappings: z.array(mapping).describe('those that frames are in'),
});

export const oncpuSchema = z
  .object({
    frequency_hz: z.int().positive().describe('samples a second of each CPU'),
    total_samples: count,
    total_time_ns: ns.describe(
      'samples, each for the time from one to the next: an estimate, where account.on_cpu_ns is exact',
    ),
    thread_stats: z.record(
      z.string().regex(/^\d+:\d+$/),
      z.object({ tid: pid, comm: z.string().nullable(), samples: count }),
    ),
    stacks: z
      .array(
        z.object({
          pid,
          tid: pid,
          count: count.describe('samples'),
          user: z.array(index).describe('indices into frames, leaf first'),
          user_cut: count,
          user_incomplete: z.boolean(),
          kernel: z.array(index).describe('indices into frames, leaf first'),
        }),
      )
      .describe('every sample, added up by thread and stack'),
    frames: z.array(frame),
    mappings: z.array(mapping),
  })
  .describe('samples of what ran on the CPUs');

const behavior = z.enum(['io_bound', 'network_bound', 'memory_bound', 'process_heavy', 'mixed', 'idle']);
/** What --syscall-times adds to a call. */
const callTimes = z.object({
  returned: count.describe(
    'calls that were entered and returned within the collection: the times are theirs',
  ),
  errors: count.describe('calls that returned an error'),
  by_errno: z.record(z.string(), count),
  total_time_ns: ns,
  avg_time_ns: ns,
  max_time_ns: ns,
  in_flight: count.describe('calls that had not returned at the end'),
  in_flight_ns: ns.describe('how long those had taken by then, together'),
  off_cpu: waitSum
    .extend({ by_reason: z.partialRecord(reason, waitSum) })
    .optional()
    .describe('waits that ended within these calls; with offcpu'),
});
const callCount = z.object({ count: count.describe('calls entered'), ...callTimes.partial().shape });

export const syscallsSchema = z.object({
  total: count,
  by_category: z.partialRecord(z.enum(CATEGORIES as [string, ...string[]]), count),
  top_syscalls: z.array(z.object({ name: z.string(), count })).max(10),
  analysis: z.object({
    syscall_rate_per_sec: z.number().nonnegative(),
    io_intensity: share,
    memory_intensity: share,
    cpu_intensity: share.describe("share of process calls, as denet's"),
    network_intensity: share,
    behavior,
  }),
  by_syscall: z.record(z.string(), callCount).describe('all but count with --syscall-times only'),
  by_process: z.record(
    z.string().regex(/^\d+$/),
    z.object({ comm: z.string().nullable(), total: count, by_syscall: z.record(z.string(), count) }),
  ),
  compat_32bit: z
    .object({ total: count, by_syscall: z.record(z.string(), callCount) })
    .describe('calls made through the 32-bit entry of a 64-bit kernel; not part of the totals above'),
});

/** In a sample the extremes are left out: the kernel keeps them for the whole run only. */
const extremes = { max_time_ns: true, min_time_ns: true } as const;
const sampleOffcpuSchema = offcpuSchema
  .omit({ ...extremes, still_blocked: true, bottlenecks: true })
  .extend({ thread_stats: z.record(z.string(), threadStats.omit({ ...extremes, lifetime_ns: true })) });

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
      cpu_share: z.number().describe('of one CPU: bpf_time_ns by wall_time_ns'),
    })
    .nullable()
    .describe(
      "by the kernel's own count; null when it was not asked, or does not tell: then a hint says why",
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
    unaccounted_ns: signed.describe('what the two do not have; below 0 when they overlap'),
    run_delay_ns: signed.describe(
      "how long they were ready and had no CPU, by the scheduler's own count: all of preempted, and the end of other waits",
    ),
    by_thread: z
      .record(
        z.string().regex(/^\d+:\d+$/),
        z.object({ comm: z.string().nullable(), time_ns: ns, on_cpu_ns: signed, off_cpu_ns: ns }),
      )
      .describe('each of the threads: what is left of time_ns is unaccounted'),
  })
  .describe('where the time of all threads went: thread_time = on_cpu + all of off_cpu + unaccounted');

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
export type Offcpu = z.infer<typeof offcpuSchema>;
export type Oncpu = z.infer<typeof oncpuSchema>;
export type CallTimes = z.infer<typeof callTimes>;
export type Syscalls = z.infer<typeof syscallsSchema>;
export type Metadata = z.infer<typeof metadataSchema>;
export type Quality = z.infer<typeof qualitySchema>;
export type Frame = z.infer<typeof frame>;
export type MappingRow = z.infer<typeof mapping>;
export type Behavior = z.infer<typeof behavior>;
export type HostInfo = z.infer<typeof hostSchema>;
