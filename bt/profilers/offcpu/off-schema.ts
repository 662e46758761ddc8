/** The part `ebpf.offcpu` of a result: the fields of denet, and more. */
import { z } from 'zod';
import { count, frame, index, mapping, ns, pid, threadKey, waitSum } from '../../../metrics/fields.ts';
import { reason } from '../../../metrics/reasons.ts';
import { IDLE_KINDS } from './idle-rules.ts';
import { TASK_STATES } from './off-maps.ts';

const state = z
  .enum(TASK_STATES)
  .describe(
    'state at switch-out, as in ps: R could run on, S sleeping, D in uninterruptible sleep; ? unknown',
  );

const idleKind = z.enum(IDLE_KINDS);
const idle = idleKind
  .nullable()
  .describe('what the thread was idle for, by the rules in docs/json.md; null when the wait is not idle');

const syscall = z
  .string()
  .nullable()
  .optional()
  .describe(
    'the system call in which the thread waited, with the prefix 32-bit for that entry point; null for none. With --syscall-times',
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
      'the wait began before the collection: it counts from the start, with the kernel stack at that time',
    ),
  user: z.array(index).describe('indices into frames, leaf first'),
  user_cut: count.describe(
    'words left out after these frames because they are not in an executable mapping: the code has no frame pointers',
  ),
  user_incomplete: z
    .boolean()
    .describe(
      'callers are known to be missing: the caller of the first frame, or those after the last frame',
    ),
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
  thread_stats: z.record(threadKey, threadStats),
  top_blocking_threads: z
    .array(
      z.object({ pid, tid: pid, time_ms: z.number().nonnegative(), percentage: z.number().min(0).max(100) }),
    )
    .max(10),
  bottlenecks: z.array(z.string()),
  by_reason: z.partialRecord(reason, waitSum).describe('for all waits that ended'),
  undecided: z.record(z.string(), waitSum).describe('waits with the reason other, by kernel function'),
  idle: z
    .object({ time_ns: ns, count, by_kind: z.partialRecord(idleKind, waitSum) })
    .describe('idle waits: waiting for work; also part of all other sums'),
  still_blocked: z.array(stillBlocked).describe('waits that had not ended; not part of the totals'),
  stacks: z.array(stack).describe('all waits, summed by thread, state and stack'),
  frames: z.array(frame),
  mappings: z.array(mapping).describe('mappings that contain frames'),
});

/** An interval has no extremes: the kernel keeps them for the whole collection only. */
const extremes = { max_time_ns: true, min_time_ns: true } as const;
export const offcpuIntervalSchema = offcpuSchema
  .omit({ ...extremes, still_blocked: true, bottlenecks: true })
  .extend({ thread_stats: z.record(z.string(), threadStats.omit({ ...extremes, lifetime_ns: true })) });

export type Offcpu = z.infer<typeof offcpuSchema>;
export type OffcpuInterval = z.infer<typeof offcpuIntervalSchema>;
