/** What was lost, and what the measurement cost, as a zod schema. */
import { z } from 'zod';
import { count, ns } from './fields.ts';

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

export type Quality = z.infer<typeof qualitySchema>;
