import type { Profile } from '../../../../../metrics/schema.ts';

/** Sums of a pprof file by sample type, in ns and counts. */
export type Totals = Readonly<Record<string, bigint>>;

/** The totals that its pprof file must have according to the JSON result. */
export function expectedTotals({ ebpf: { offcpu, oncpu } }: Profile): Totals {
  const open = offcpu?.still_blocked.reduce((sum, wait) => sum + BigInt(wait.blocked_ns), 0n) ?? 0n;
  return {
    ...(offcpu && { waits: BigInt(offcpu.total_events), offcpu: BigInt(offcpu.total_time_ns), open }),
    ...(oncpu && { samples: BigInt(oncpu.total_samples), cpu: BigInt(oncpu.total_time_ns) }),
  };
}
