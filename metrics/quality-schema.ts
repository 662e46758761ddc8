/** What was lost, and what the measurement cost, as a zod schema. */
import { z } from 'zod';
import { count, ns } from './fields.ts';

export const qualitySchema = z.object({
  lost_events: count.describe('events that the kernel dropped because its buffer was full'),
  switches_unseen: count.describe(
    'switches into followed threads for which the kernel ran no BPF program; the waits that they ended are reconstructed from the times of the scheduler, or missing without BTF',
  ),
  waits_missed: count.describe(
    'waits that are missing because the kernel ran no BPF program for the switch that began them',
  ),
  runs_skipped: count.describe(
    'how often the kernel skipped a BPF program of btprof, for any process, because another one was running on that CPU: at most this many switches were missed',
  ),
  dropped_lines: count.describe('lines from bpftrace that could not be parsed'),
  map_full: count.describe('BPF maps that reached their limit: their counts are too small'),
  kernel_errors: count.describe('errors of the running program that bpftrace reported'),
  stacks_missing: count.describe('waits or samples whose stack could not be read'),
  frames_total: count,
  frames_unresolved: count.describe('frames without a symbol'),
  frames_cut: count.describe('frames left out because they are not code'),
  stacks_incomplete: count.describe('waits whose user stack is known to lack callers'),
  symbols_unread: count.describe('how often the names or lines of a file could not be read completely'),
  overhead: z
    .object({
      bpf_time_ns: ns.describe('run time of the BPF programs, summed over all CPUs'),
      bpf_events: count.describe('number of runs of the BPF programs'),
      ns_per_event: z.number().describe('bpf_time_ns divided by bpf_events, to 0.1'),
      events_per_second: z.number().describe('bpf_events divided by wall_time_ns, to 0.1'),
      cpu_share: z.number().describe('share of one CPU: bpf_time_ns divided by wall_time_ns'),
      timed_ns: ns.describe('how long the kernel timed the programs; the rest is estimated from that'),
    })
    .nullable()
    .describe(
      'as measured by the kernel; null if not wanted, if bpftrace ended by itself, or if the kernel cannot measure it: then a hint says why',
    ),
  footprint: z
    .object({
      cpu_time_ns: ns.describe('of btprof and bpftrace during the collection, to 10 ms'),
      cpu_share: z.number().describe('share of one CPU: cpu_time_ns divided by wall_time_ns'),
      btprof_peak_bytes: count.describe('peak of resident memory until the maps had been read'),
      bpftrace_peak_bytes: count,
      map_bytes: count.describe('memory of the BPF maps'),
    })
    .nullable()
    .describe(
      'cost of btprof and bpftrace in addition to the BPF programs; null if not wanted, or if bpftrace ended by itself',
    ),
  warnings: z.array(z.string()),
  hints: z.array(z.string()).describe('how to get a more complete result'),
});

export type Quality = z.infer<typeof qualitySchema>;
