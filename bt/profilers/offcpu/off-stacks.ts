import type { MetricNames, StackRow, StackView } from '../../../metrics/measurement.ts';
import { REASONS } from '../../../metrics/reasons.ts';
import { sum } from '../../../metrics/sums.ts';
import { IDLE_KINDS } from './idle-rules.ts';
import type { Offcpu } from './off-schema.ts';
import { KIND_TEXTS } from './reason-table.ts';

/** All waits, including those that had not ended. Their sum is `total_time_ns` plus the times of `still_blocked`. */
export const offcpuStacks: StackView<Offcpu> = {
  title: 'Off-CPU time',
  event: 'wait',
  frames: ({ frames }) => frames,
  mappings: ({ mappings }) => mappings,
  rows: (part) => [...endedRows(part), ...openRows(part)],
  kindTexts: KIND_TEXTS,
  values: [
    { type: 'waits', unit: 'count', of: ({ open, count }) => (open ? 0 : count) },
    { type: 'offcpu', unit: 'nanoseconds', of: ({ open, timeNs }) => (open ? 0 : timeNs), isDefault: true },
    { type: 'open', unit: 'nanoseconds', of: ({ open, timeNs }) => (open ? timeNs : 0) },
  ],
  colours: {
    lock: [18, 0.13],
    disk: [305, 0.12],
    network: [250, 0.12],
    pipe: [205, 0.1],
    poll: [175, 0.1],
    sleep: [262, 0.045],
    child: [340, 0.12],
    page_fault: [128, 0.13],
    preempted: [92, 0.13],
    stopped: [70, 0.05],
    other: [300, 0.02],
  },
};

function endedRows({ stacks, thread_stats }: Offcpu): StackRow[] {
  return stacks.map(({ pid, tid, reason: kind, idle, time_ns: timeNs, count, syscall, user, kernel }) => {
    const comm = thread_stats[`${pid}:${tid}`]?.comm ?? null;
    return { pid, tid, comm, kind, idle: idle !== null, open: false, timeNs, count, syscall, user, kernel };
  });
}

function openRows({ still_blocked }: Offcpu): StackRow[] {
  return still_blocked.map((row) => ({
    ...{ pid: row.pid, tid: row.tid, comm: row.comm },
    ...{ kind: row.reason, idle: row.idle !== null, open: true, timeNs: row.blocked_ns, count: 0 },
    ...{ syscall: row.syscall, user: row.user, kernel: row.kernel },
  }));
}

/** Each reason is a metric: the time of its waits, including those that had not ended. */
export const offcpuMetrics: MetricNames<Offcpu> = {
  times: REASONS,
  time: ({ by_reason, still_blocked }, name) => {
    const open = still_blocked.filter(({ reason }) => reason === name);
    const ended = by_reason[name as (typeof REASONS)[number]]?.time_ns ?? 0;
    return ended + sum(open.map(({ blocked_ns }) => blocked_ns));
  },
  zeros: [
    ['offcpu.by_reason', REASONS, /^\.(time_ns|count)$/],
    ['offcpu.idle.by_kind', IDLE_KINDS, /^\.(time_ns|count)$/],
    ['account.off_cpu_ns', REASONS, /^$/],
    ['account.idle_ns', REASONS, /^$/],
  ],
  example: 'lock>+20%',
  missing: 'The results have no off-CPU time: profile with -p offcpu.',
};
