import type { Profile } from '../../../metrics/schema.ts';
import { stacksOf } from '../../../metrics/timed-stacks.ts';
import { formatNs, plural } from '../../../metrics/units.ts';
import { flamegraphView } from './html.ts';

/** The flame graph of a profile: the waits of its threads and, with the profiler oncpu, all of their time. */
export function flamegraphPage(profile: Profile): string {
  const { metadata, ebpf } = profile;
  const command =
    metadata.cmd.join(' ') || (metadata.pids.join(', ') && `process ${metadata.pids.join(', ')}`);
  return flamegraphView(stacksOf(profile), {
    title: `${ebpf.oncpu ? 'Time' : 'Off-CPU time'} of ${command || 'the whole machine'}`,
    subtitle: `${formatNs(metadata.wall_time_ns)}, ${plural(metadata.processes, 'process', 'processes')}, ${plural(metadata.threads, 'thread')}`,
    notes: notesOf(profile),
  });
}

/** What the picture leaves out or may misrepresent. */
function notesOf({ account, ebpf, quality, metadata }: Profile): string[] {
  const { threads_unknown = 0, unaccounted_ns = 0 } = account ?? {};
  return [
    ...(metadata.incomplete ? ['The collection was cut short: the figures are from its last print.'] : []),
    ...(ebpf.oncpu && unaccounted_ns < 0
      ? [`Waits and time on the CPU overlap by ${formatNs(-unaccounted_ns)} in total.`]
      : []),
    ...(ebpf.oncpu && threads_unknown > 0
      ? [`The CPU time of ${plural(threads_unknown, 'thread')} is unknown.`]
      : []),
    ...(quality.stacks_incomplete > 0
      ? [`Callers are missing in the stacks of ${plural(quality.stacks_incomplete, 'wait')}.`]
      : []),
    ...quality.warnings,
  ];
}
