import type { Quality } from '../../../metrics/quality-schema.ts';
import type { Profile } from '../../../metrics/schema.ts';
import { sum } from '../../../metrics/sums.ts';
import { stackParts } from '../../../metrics/timed-stacks.ts';
import { formatBytes, formatCount, formatNs, formatShare, plural } from '../../../metrics/units.ts';
import { coloursOf, type Look, wrap } from '../../page.ts';
import { printable } from '../../plain-text.ts';
import type { Result } from '../format.ts';

/**
 * What was lost, unnamed or reconstructed, and what the collection cost; with warnings and hints.
 *
 * @param hints the most that are shown
 */
export function qualityBlock(result: Result, hints: number, look: Look): string[] {
  const { quality } = result.profile;
  const { yellow, dim } = coloursOf(look);
  const sentences = (kind: string, all: readonly string[], colour: (text: string) => string) =>
    all.flatMap((text) => wrap(`${kind}: ${printable(text)}`, look.columns).map((line) => colour(line)));
  const line = `Quality: ${lossesOf(quality)}${framesOf(result)}${overheadOf(result.profile)}${footprintOf(quality)}.`;
  return [
    ...wrap(line, look.columns),
    ...sentences('Warning', quality.warnings, yellow),
    ...sentences('Hint', quality.hints.slice(0, hints), dim),
    ...(hints < quality.hints.length ? [dim('More hints with -v')] : []),
  ];
}

function lossesOf(quality: Quality): string {
  const losses = [
    [quality.lost_events, 'event lost', 'events lost'],
    [quality.dropped_lines, 'unreadable line'],
    [
      quality.switches_unseen,
      'context switch missed (reconstructed)',
      'context switches missed (reconstructed)',
    ],
    [quality.waits_missed, 'wait missed', 'waits missed'],
    [quality.runs_skipped, 'BPF program run skipped by the kernel', 'BPF program runs skipped by the kernel'],
    [quality.map_full, 'BPF map full', 'BPF maps full'],
    [quality.kernel_errors, 'kernel error'],
    [quality.stacks_missing, 'stack missing', 'stacks missing'],
    [quality.symbols_unread, 'symbol file not read', 'symbol files not read'],
  ] satisfies [number, string, string?][];
  const lost = losses.filter(([n]) => n > 0).map(([n, one, many]) => plural(n, one, many));
  return lost.length > 0 ? lost.join(', ') : 'nothing lost';
}

/** Of the events whose stacks are a thread's own, not samples. */
function framesOf({ profile, measurements }: Result): string {
  const { quality, ebpf } = profile;
  const parts = stackParts(profile, measurements).filter(
    ({ name, stacks }) => !stacks?.samplesCpu && stacks?.frames(ebpf[name]).length,
  );
  if (parts.length === 0) return '';
  const [unnamed, all] = [formatCount(quality.frames_unresolved), formatCount(quality.frames_total)];
  const incomplete = formatCount(quality.stacks_incomplete);
  const events = formatCount(sum(parts.map(({ name, events }) => events(ebpf[name]).count)));
  return `, ${unnamed} of ${all} frames unnamed, ${incomplete} of ${events} stacks incomplete`;
}

/** CPU time of the BPF programs, where it is known. */
function overheadOf({ quality: { overhead }, metadata }: Profile): string {
  if (!overhead?.bpf_events) return '';
  const { bpf_events: events, cpu_share: share, ns_per_event: each } = overhead;
  const isWhole = overhead.timed_ns >= metadata.wall_time_ns;
  const known = (n: number) => (isWhole ? n : Number(n.toPrecision(2)));
  const runs = `${isWhole ? '' : '≈'}${plural(known(events), 'event')}`;
  const rate = formatCount(Math.round(known(overhead.events_per_second)));
  return `, overhead ${formatShare(share, 1)} of one CPU (${runs} × ${formatNs(each)}, ${rate}/s)`;
}

/** What btprof and bpftrace used besides. */
function footprintOf({ footprint }: Quality): string {
  if (!footprint) return '';
  const { cpu_time_ns, btprof_peak_bytes, bpftrace_peak_bytes, map_bytes } = footprint;
  const bytes = formatBytes(btprof_peak_bytes + bpftrace_peak_bytes + map_bytes);
  return `, btprof and bpftrace used ${formatNs(cpu_time_ns)} of CPU time and ${bytes} of memory`;
}
