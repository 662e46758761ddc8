import type { Offcpu } from '../../../../../bt/profilers/offcpu/off-schema.ts';
import type { Syscalls } from '../../../../../bt/profilers/syscalls/sys-schema.ts';
import type { ResultLook } from '../../../../../cli/formats/format.ts';
import { summaryView as view } from '../../../../../cli/formats/summary/summary-page.ts';
import type { Profile } from '../../../../../metrics/schema.ts';
import { sleepProfile } from '../../../sleep-recording.ts';
import { resultOf } from '../result-of.ts';

export const SLEEP = sleepProfile();
export const OFFCPU = SLEEP.ebpf.offcpu as Offcpu;
export const SYSCALLS = SLEEP.ebpf.syscalls as Syscalls;

const PLAIN: ResultLook = { columns: 100, colours: false, ascii: false, verbose: false, idle: 'fold' };

export function summaryView(profile: Profile, look: Partial<ResultLook> = {}): string {
  return view(resultOf(profile), { ...PLAIN, ...look });
}

export function linesOf(profile: Profile): string[] {
  return summaryView(profile).split('\n').slice(0, -1);
}

/** A profile in which every table has more rows than the summary shows. */
export function busy(): Profile {
  const many = Array.from({ length: 30 }, (_, i) => i);
  const [stack] = OFFCPU.stacks;
  const [thread] = Object.values(OFFCPU.thread_stats);
  const frames = many.map((i) => ({ address: `0x${i}`, symbol: `site_${i}`, module: '[kernel]', offset: 0 }));
  const offcpu = {
    ...OFFCPU,
    frames,
    stacks: many.map((i) => ({ ...stack, tid: i, kernel: [i], state: 'S' })),
    thread_stats: Object.fromEntries(many.map((i) => [`26857:${i}`, { ...thread, tid: i }])),
    top_blocking_threads: many.slice(0, 10).map((tid) => ({ pid: 26857, tid, time_ms: 3, percentage: 3.33 })),
    still_blocked: many.map((tid) => ({
      ...{
        pid: 26857,
        tid,
        comm: 'sleep',
        blocked_ns: 1e9,
        state: 'S',
        reason: 'other',
        idle: null,
        since_start: true,
      },
      ...{ user: [], user_cut: 0, user_incomplete: false, kernel: [tid] },
    })),
  } as Offcpu;
  const syscalls = {
    ...SYSCALLS,
    by_syscall: Object.fromEntries(many.map((i) => [`call_${i}`, { count: 1 }])),
    top_syscalls: many.slice(0, 10).map((i) => ({ name: `call_${i}`, count: 1 })),
    compat_32bit: { total: 7, by_syscall: {} },
  };
  const warnings = ['one', 'two', 'three', 'four'];
  return { ...SLEEP, ebpf: { offcpu, syscalls }, quality: { ...SLEEP.quality, warnings } };
}
