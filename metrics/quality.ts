import { MOST_ENTRIES } from '../bt/limits.ts';
import { STACK_MAPS } from '../bt/profilers/stacks.ts';
import { readUnseen } from '../bt/profilers/waits.ts';
import { readInteger } from '../parsers/integer.ts';
import type { Recording } from '../parsers/recording.ts';
import type { Frame } from './ebpf-schema.ts';
import type { Ending, Facts } from './facts.ts';
import type { Quality } from './schema.ts';

/** Whether no wait is known to be lost. */
export function isWhole({ maps, earlier, quality }: Recording, { room }: Facts): boolean {
  const { lostEvents, linesDropped, faults } = quality;
  const missed = maps.get('@missed')?.length ?? 0;
  return lostEvents + linesDropped + faults + missed === 0 && fullMaps({ maps, earlier }, room).length === 0;
}

/** The others are counted. */
const PROBLEMS_TOLD = 3;
const MISSING_STACKS =
  'some waits have no stack, for the kernel had no room to keep it; times and counts are whole';

/** What was lost, cut or not named, and what the measuring cost. */
export function quality(
  recording: Recording,
  facts: Facts,
  ending: Ending,
  found: {
    unreadable: number;
    stacksMissing: number;
    framesCut: number;
    /** Threads whose last wait nobody saw begin. */
    wentUnseen: number;
    /** Waits whose user stack lacks callers. */
    incomplete: number;
    frames: readonly Frame[];
    problems: readonly string[];
    hints: string[];
    /** ns */
    wall: number;
  },
): Quality {
  const counts = (map: string) => (recording.maps.get(map) ?? []).map(readUnseen);
  const [unseen, missed] = [counts('@unseen'), counts('@missed')];
  const full = fullMaps(recording, facts.room);
  const { frames, problems } = found;
  const { lostEvents, linesDropped, faults, faultMessages } = recording.quality;
  return {
    lost_events: lostEvents,
    switches_unseen: sum(unseen),
    waits_missed: sum(missed) + found.wentUnseen,
    runs_skipped: ending.skippedRuns,
    dropped_lines:
      linesDropped + found.unreadable + [...unseen, ...missed].filter((count) => count === undefined).length,
    map_full: full.length,
    kernel_errors: faults,
    stacks_missing: found.stacksMissing,
    frames_total: frames.length,
    frames_unresolved: frames.filter((frame) => frame.symbol === null).length,
    frames_cut: found.framesCut,
    stacks_incomplete: found.incomplete,
    symbols_unread: problems.length,
    overhead: overheadOf(ending, found.wall),
    footprint: footprintOf(ending, found.wall),
    warnings: [
      ...ending.warnings,
      ...(found.stacksMissing > 0 ? [MISSING_STACKS] : []),
      ...[...faultMessages].map((message) => `bpftrace reported an error in the kernel: ${message}`),
      ...full.map((map) => fullSentence(map, facts.room)),
      ...problems.slice(0, PROBLEMS_TOLD),
    ],
    hints: found.hints,
  };
}

function sum(counts: readonly (number | undefined)[]): number {
  return counts.reduce((total: number, count) => total + (count ?? 0), 0);
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

/** Of one CPU, to millionths. */
function shareOf(ns: number, wall: number): number {
  return wall > 0 ? Math.round((ns / wall) * 1e6) / 1e6 : 0;
}

export function untimedHints({ untimed }: Ending): string[] {
  return untimed === undefined
    ? []
    : [`what our own programs cost is unknown, for the kernel could not be asked: ${untimed}`];
}

/** Maps that only grow are full when they hold all that they can; of the others the program notes which had no room. */
export function fullMaps(
  { maps, earlier }: Pick<Recording, 'maps' | 'earlier'>,
  room: Facts['room'],
): string[] {
  const noticed = (maps.get('@full') ?? []).filter((entry) => readInteger(entry.value) !== 0);
  const grown = [...maps].filter(
    ([name, entries]) =>
      name !== '@full' && entries.length - (earlier.get(name)?.length ?? 0) >= (room[name] ?? Infinity),
  );
  return [...new Set([...noticed.map((entry) => entry.key), ...grown.map(([name]) => name)])];
}

function fullSentence(map: string, room: Facts['room']): string {
  const more = Math.min(4 * Math.max(...Object.values(room)), MOST_ENTRIES);
  const lost = STACK_MAPS.includes(map)
    ? 'and what has other stacks is counted without them'
    : 'and what came after was not counted';
  return `the kernel map ${map} was full at ${room[map]} keys, ${lost}; --map-entries ${more} makes more room`;
}
