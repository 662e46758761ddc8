import { MOST_ENTRIES } from '../bt/limits.ts';
import { readUnseen } from '../bt/profilers/offcpu.ts';
import type { Entry } from '../parsers/entries.ts';
import { readInteger } from '../parsers/integer.ts';
import type { Recording } from '../parsers/recording.ts';
import type { Ending, Facts } from './facts.ts';
import { addressSpaces, type FrameTable, newFrameTable, readable } from './frames.ts';
import { offcpuMetrics } from './offcpu.ts';
import type { Profile, Quality } from './schema.ts';
import type { Symbols } from './symbols.ts';
import { syscallMetrics } from './syscalls.ts';
import { lifetimes, type Names, namesOf, ownersOf, type Span, spanOf } from './threads.ts';

/** The whole result out of a stream and what was learnt beside it. Pure: the same input gives the same profile. */
export function assembleProfile(
  recording: Recording,
  facts: Facts,
  ending: Ending,
  symbols: Symbols,
): Profile {
  const span = spanOf(recording, facts, ending);
  const names = namesOf(recording, facts, ending.alive);
  const frames = newFrameTable(addressSpaces(ending.mappings), symbols);
  const calls = recording.maps.get('@calls') ?? [];
  const offcpu = facts.profilers.includes('offcpu')
    ? offcpuMetrics(offcpuInput(recording, facts, ending, span, names), frames)
    : undefined;
  const syscalls = facts.profilers.includes('syscalls')
    ? syscallMetrics(calls, [], facts.host.arch, span.wall, names.processes)
    : undefined;
  return {
    kind: 'profile',
    schema: 'btprof/1',
    metadata: {
      ...metadataOf(facts),
      wall_time_ns: span.wall,
      exit: ending.exit,
      processes: names.processCount,
      threads: names.threadCount,
      incomplete: ending.incomplete,
    },
    ebpf: {
      ...(offcpu ? { offcpu: { ...offcpu.metrics, frames: readable(frames.frames, symbols.demangle) } } : {}),
      ...(syscalls ? { syscalls: syscalls.metrics } : {}),
    },
    quality: quality(recording, facts, ending, {
      unreadable: (offcpu?.unreadable ?? 0) + (syscalls?.unreadable ?? 0),
      stacksMissing: offcpu?.stacksMissing ?? 0,
      framesCut: offcpu?.framesCut ?? 0,
      frames,
    }),
  };
}

/** What a result says of its origin, before anything is measured. */
export function metadataOf(facts: Facts) {
  const { mode, pids, cmd, executable, host, btprof, bpftrace, profilers } = facts;
  return {
    mode,
    pid: pids[0] ?? null,
    pids: [...pids],
    cmd: [...cmd],
    executable,
    t0_ms: facts.t0Ms,
    host,
    btprof,
    bpftrace,
    profilers: [...profilers],
  };
}

function offcpuInput(recording: Recording, facts: Facts, ending: Ending, span: Span, names: Names) {
  const map = (name: string): readonly Entry[] => recording.maps.get(name) ?? [];
  return {
    waits: map('@waits'),
    longest: map('@longest'),
    shortest: map('@shortest'),
    off: map('@off'),
    stacks: facts.stacks,
    owners: ownersOf(facts),
    comms: names.threads,
    lifetimes: lifetimes(recording, facts, ending, span),
    end: span.end,
    running: new Set(ending.alive.filter((t) => t.state === 'R').map((t) => t.tid)),
    blockedStacks: new Map(ending.alive.flatMap(({ tid, blocked }) => (blocked ? [[tid, blocked]] : []))),
  };
}

const MISSING_STACKS =
  'some waits have no stack, for the kernel had no room to keep it; times and counts are whole';

function quality(
  recording: Recording,
  facts: Facts,
  ending: Ending,
  found: { unreadable: number; stacksMissing: number; framesCut: number; frames: FrameTable },
): Quality {
  const unseen = (recording.maps.get('@unseen') ?? []).map(readUnseen);
  const full = fullMaps(recording, facts.room);
  const { frames } = found.frames;
  const { lostEvents, linesDropped, faults, faultMessages } = recording.quality;
  return {
    lost_events: lostEvents,
    switches_unseen: unseen.reduce((sum: number, count) => sum + (count ?? 0), 0),
    runs_skipped: ending.skippedRuns,
    dropped_lines: linesDropped + found.unreadable + unseen.filter((count) => count === undefined).length,
    map_full: full.length,
    kernel_errors: faults,
    stacks_missing: found.stacksMissing,
    frames_total: frames.length,
    frames_unresolved: frames.filter((frame) => frame.symbol === null).length,
    frames_cut: found.framesCut,
    warnings: [
      ...ending.warnings,
      ...(found.stacksMissing > 0 ? [MISSING_STACKS] : []),
      ...[...faultMessages].map((message) => `bpftrace reported an error in the kernel: ${message}`),
      ...full.map((map) => fullSentence(map, facts.room)),
    ],
  };
}

/** Maps that only grow are full when they hold all that they can; of the others the program counts what had no room. */
function fullMaps({ maps }: Recording, room: Facts['room']): string[] {
  const noticed = (maps.get('@full') ?? []).filter((entry) => readInteger(entry.value) !== 0);
  const grown = [...maps].filter(
    ([name, entries]) => name !== '@full' && entries.length >= (room[name] ?? Infinity),
  );
  return [...new Set([...noticed.map((entry) => entry.key), ...grown.map(([name]) => name)])];
}

function fullSentence(map: string, room: Facts['room']): string {
  const more = Math.min(4 * Math.max(...Object.values(room)), MOST_ENTRIES);
  return `the kernel map ${map} was full at ${room[map]} keys, and what came after was not counted; --map-entries ${more} makes more room`;
}
