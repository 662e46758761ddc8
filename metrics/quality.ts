import { readInteger } from '../parsers/integer.ts';
import { FULL_MAP, STACK_MAPS } from './core-maps.ts';
import type { Ending, Facts } from './facts.ts';
import type { Frame } from './fields.ts';
import type { Losses } from './measurement.ts';
import type { Quality } from './quality-schema.ts';
import type { Recording } from './recording.ts';
import { sum } from './sums.ts';
import { MOST_ENTRIES } from './units.ts';

/** Tells whether no event, line or map entry is known to be lost. */
export function isLossless(recording: Recording, { room }: Facts): boolean {
  const { lostEvents, linesDropped, faults } = recording.quality;
  return lostEvents + linesDropped + faults === 0 && fullMaps(recording, room).length === 0;
}

/** Maximum number of problems that become warnings; the others are only counted. */
const PROBLEMS_SHOWN = 3;
/** bpf_get_stackid(), which bpftrace calls before 0.25, keeps one stack for each hash. */
const MISSING_STACKS =
  'some stacks are missing: there was no room for them, or, with bpftrace before 0.25, hash collisions; times and counts are complete';

/** Sums up what was lost, cut or not named, and the cost of the measurement. */
export function quality(
  recording: Recording,
  facts: Facts,
  ending: Ending,
  found: {
    /** Entries of maps that could not be read. */
    unreadable: number;
    /** Of each part. */
    losses: readonly Losses[];
    frames: readonly Frame[];
    problems: readonly string[];
    hints: string[];
    /** ns */
    wall: number;
  },
): Quality {
  const lost = (what: keyof Losses) => sum(found.losses.map((losses) => losses[what] ?? 0));
  const full = fullMaps(recording, facts.room);
  const { frames, problems } = found;
  const { lostEvents, linesDropped, faults, faultMessages } = recording.quality;
  return {
    lost_events: lostEvents,
    switches_unseen: lost('switches_unseen'),
    waits_missed: lost('waits_missed'),
    runs_skipped: ending.skippedRuns,
    dropped_lines: linesDropped + found.unreadable,
    map_full: full.length,
    kernel_errors: faults,
    stacks_missing: lost('stacks_missing'),
    frames_total: frames.length,
    frames_unresolved: frames.filter((frame) => frame.symbol === null).length,
    frames_cut: lost('frames_cut'),
    stacks_incomplete: lost('stacks_incomplete'),
    symbols_unread: problems.length,
    overhead: overheadOf(ending, found.wall),
    footprint: footprintOf(ending, found.wall),
    warnings: [
      ...ending.warnings,
      ...(lost('stacks_missing') > 0 ? [MISSING_STACKS] : []),
      ...[...faultMessages].map((message) => `bpftrace reported an error in the kernel: ${message}`),
      ...full.map((map) => fullSentence(map, facts.room)),
      ...problems.slice(0, PROBLEMS_SHOWN),
    ],
    hints: found.hints,
  };
}

function overheadOf({ programTime }: Ending, wall: number): Quality['overhead'] {
  if (!programTime) return null;
  const { timeNs, runs, timedNs = wall } = programTime;
  return {
    bpf_time_ns: timeNs,
    bpf_events: runs,
    ns_per_event: tenths(timeNs, runs),
    events_per_second: tenths(runs * 1e9, wall),
    cpu_share: shareOf(timeNs, wall),
    timed_ns: Math.min(timedNs, wall),
  };
}

function footprintOf({ footprint }: Ending, wall: number): Quality['footprint'] {
  if (!footprint) return null;
  const { cpuNs, btprofBytes, bpftraceBytes, mapBytes } = footprint;
  return {
    cpu_time_ns: cpuNs,
    cpu_share: shareOf(cpuNs, wall),
    btprof_peak_bytes: btprofBytes,
    bpftrace_peak_bytes: bpftraceBytes,
    map_bytes: mapBytes,
  };
}

const tenths = (sum: number, count: number) => (count > 0 ? Math.round((10 * sum) / count) / 10 : 0);

/** The share of one CPU, to a millionth. */
function shareOf(ns: number, wall: number): number {
  return wall > 0 ? Math.round((ns / wall) * 1e6) / 1e6 : 0;
}

export function untimedHints({ untimed }: Ending): string[] {
  return untimed === undefined
    ? []
    : [`the overhead is unknown because the kernel could not measure it: ${untimed}`];
}

/** Names the maps that were full. A map that only grows is full if it has reached its limit; the program reports the others. */
export function fullMaps(
  { maps, mapSizes }: Pick<Recording, 'maps' | 'mapSizes'>,
  room: Facts['room'],
): string[] {
  const reported = (maps.get(FULL_MAP) ?? []).filter((entry) => readInteger(entry.value) !== 0);
  const grown = [...mapSizes].filter(([name, size]) => name !== FULL_MAP && size >= (room[name] ?? Infinity));
  return [...new Set([...reported.map((entry) => entry.key), ...grown.map(([name]) => name)])];
}

function fullSentence(map: string, room: Facts['room']): string {
  const more = Math.min(4 * Math.max(...Object.values(room)), MOST_ENTRIES);
  const lost = Object.values<string>(STACK_MAPS).includes(map)
    ? 'so later events were counted without their stacks'
    : 'so events with new keys were not counted';
  return `the BPF map ${map} was full (${room[map]} entries), ${lost}; use --map-entries ${more}`;
}
