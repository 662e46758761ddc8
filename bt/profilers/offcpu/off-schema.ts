/** The part `ebpf.offcpu` of a result: denet's, and more. */
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
  thread_stats: z.record(threadKey, threadStats),
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

/** An interval has no extremes: the kernel keeps them for the whole collection only. */
const extremes = { max_time_ns: true, min_time_ns: true } as const;
export const offcpuIntervalSchema = offcpuSchema
  .omit({ ...extremes, still_blocked: true, bottlenecks: true })
  .extend({ thread_stats: z.record(z.string(), threadStats.omit({ ...extremes, lifetime_ns: true })) });

export type Offcpu = z.infer<typeof offcpuSchema>;
export type OffcpuInterval = z.infer<typeof offcpuIntervalSchema>;
