/** What the profilers find, as zod schemas: the part `ebpf` of a result, which is denet's and more. */
import { z } from 'zod';
import { TASK_STATES } from '../bt/profilers/waits.ts';
import { IDLE_KINDS } from './idle.ts';
import { REASONS } from './reasons.ts';
import { CATEGORIES } from './syscall-category.ts';

/** Sums may pass 2^53, where doubles are no longer exact: z.int() would refuse them. */
const whole = z.number().multipleOf(1).nonnegative().meta({ type: 'integer' });
export const count = whole;
export const ns = whole;
export const signed = z.number().multipleOf(1).meta({ type: 'integer' });
export const pid = z.int().nonnegative();
const share = z.number().min(0).max(1);
const index = z.int().nonnegative();

const state = z
  .enum(TASK_STATES)
  .describe(
    'state at switch-out, as in ps: R could run on, S sleeping, D in uninterruptible sleep; ? unknown',
  );

export const reason = z
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
export const sampleOffcpuSchema = offcpuSchema
  .omit({ ...extremes, still_blocked: true, bottlenecks: true })
  .extend({ thread_stats: z.record(z.string(), threadStats.omit({ ...extremes, lifetime_ns: true })) });

export type Offcpu = z.infer<typeof offcpuSchema>;
export type Oncpu = z.infer<typeof oncpuSchema>;
export type CallTimes = z.infer<typeof callTimes>;
export type Syscalls = z.infer<typeof syscallsSchema>;
export type Frame = z.infer<typeof frame>;
export type MappingRow = z.infer<typeof mapping>;
export type Behavior = z.infer<typeof behavior>;
