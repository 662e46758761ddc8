/** The part `ebpf.syscalls` of a result: the fields of denet, and more. */
import { z } from 'zod';
import { count, ns, share, waitSum } from '../../../metrics/fields.ts';
import { reason } from '../../../metrics/reasons.ts';
import { CATEGORIES } from '../../../metrics/syscall-category.ts';

const behavior = z.enum(['io_bound', 'network_bound', 'memory_bound', 'process_heavy', 'mixed', 'idle']);

/** What the option `times` adds to a call. */
const callTimes = z.object({
  returned: count.describe(
    'calls that were entered and returned within the collection: the times are for these',
  ),
  errors: count.describe('calls that returned an error'),
  by_errno: z.record(z.string(), count),
  total_time_ns: ns,
  avg_time_ns: ns,
  max_time_ns: ns,
  in_flight: count.describe('calls that had not returned at the end'),
  in_flight_ns: ns.describe('how long these calls had taken so far, in total'),
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
    cpu_intensity: share.describe('share of process calls, as in denet'),
    network_intensity: share,
    behavior,
  }),
  by_syscall: z
    .record(z.string(), callCount)
    .describe('count for all calls; the other fields with --syscall-times'),
  by_process: z.record(
    z.string().regex(/^\d+$/),
    z.object({ comm: z.string().nullable(), total: count, by_syscall: z.record(z.string(), count) }),
  ),
  compat_32bit: z
    .object({ total: count, by_syscall: z.record(z.string(), callCount) })
    .describe('calls made through the 32-bit entry point of a 64-bit kernel; not part of the totals above'),
});

export type Syscalls = z.infer<typeof syscallsSchema>;
export type CallTimes = z.infer<typeof callTimes>;
export type Behavior = z.infer<typeof behavior>;
