import type { Profile, Quality } from '../../../metrics/schema.ts';
import { formatBytes, formatCount, formatNs, formatShare, plural } from '../../../metrics/units.ts';
import { coloursOf, type Look, printable, wrap } from '../../page.ts';

/**
 * What was lost, not named or mended, and what the collection took; with warnings and hints.
 *
 * @param hints as many of these as fit
 */
export function qualityBlock(profile: Profile, hints: number, look: Look): string[] {
  const { quality } = profile;
  const { yellow, dim } = coloursOf(look);
  const sentences = (kind: string, all: readonly string[], colour: (text: string) => string) =>
    all.flatMap((text) => wrap(`${kind}: ${printable(text)}`, look.columns).map((line) => colour(line)));
  const line = `Quality: ${lossesOf(quality)}${framesOf(profile)}${overheadOf(profile)}${footprintOf(quality)}.`;
  return [
    ...wrap(line, look.columns),
    ...sentences('Warning', quality.warnings, yellow),
    ...sentences('Hint', quality.hints.slice(0, hints), dim),
    ...(hints < quality.hints.length ? [dim('More hints with -v')] : []),
  ];
}

function lossesOf(quality: Quality): string {
  const losses = [
    [quality.lost_events, 'events lost'],
    [quality.dropped_lines, 'lines unread'],
    [quality.switches_unseen, 'switches unseen and mended'],
    [quality.waits_missed, 'waits missed'],
    [quality.runs_skipped, 'runs of our programs skipped by the kernel'],
    [quality.map_full, 'kernel maps full'],
    [quality.kernel_errors, 'errors in the kernel'],
    [quality.stacks_missing, 'stacks missing'],
    [quality.symbols_unread, 'files of symbols not read'],
  ] as const;
  const lost = losses.filter(([n]) => n > 0).map(([n, what]) => `${formatCount(n)} ${what}`);
  return lost.length > 0 ? lost.join(', ') : 'nothing lost';
}

function framesOf({ quality, ebpf: { offcpu } }: Profile): string {
  if (!offcpu?.frames.length) return '';
  const [unnamed, all] = [formatCount(quality.frames_unresolved), formatCount(quality.frames_total)];
  const [incomplete, waits] = [formatCount(quality.stacks_incomplete), formatCount(offcpu.total_events)];
  return `, ${unnamed} of ${all} frames without a name, ${incomplete} of ${waits} waits without all callers`;
}

/** What our programs took of the CPUs, where that is known. */
function overheadOf({ quality: { overhead }, metadata }: Profile): string {
  if (!overhead?.bpf_events) return '';
  const { bpf_events: events, cpu_share: share, ns_per_event: each } = overhead;
  const isWhole = overhead.timed_ns >= metadata.wall_time_ns;
  const known = (n: number) => (isWhole ? n : Number(n.toPrecision(2)));
  const runs = `${isWhole ? '' : 'about '}${plural(known(events), 'event')}`;
  const rate = formatCount(Math.round(known(overhead.events_per_second)));
  return `, overhead ${formatShare(share, 1)} of one CPU (${formatNs(each)} in each of ${runs}, ${rate}/s)`;
}

/** What btprof and bpftrace took besides. */
function footprintOf({ footprint }: Quality): string {
  if (!footprint) return '';
  const { cpu_time_ns, btprof_peak_bytes, bpftrace_peak_bytes, map_bytes } = footprint;
  const bytes = formatBytes(btprof_peak_bytes + bpftrace_peak_bytes + map_bytes);
  return `, btprof and bpftrace ${formatNs(cpu_time_ns)} of CPU time and ${bytes}`;
}
