import { readStacks } from '../bt/profilers/stacks.ts';
import type { Entry } from '../parsers/entries.ts';
import type { Recording } from '../parsers/recording.ts';
import { accountOf, cpuTimes, ranTimes } from './account.ts';
import { bottlenecks } from './bottlenecks.ts';
import type { Offcpu, Oncpu, Syscalls } from './ebpf-schema.ts';
import type { Ending, Facts } from './facts.ts';
import { addressSpaces, type FrameTable, newFrameTable, readable } from './frames.ts';
import { accountHints, hintsFor } from './hints.ts';
import { type IdleMatch, markIdle } from './idle.ts';
import { offcpuMetrics } from './offcpu.ts';
import { oncpuMetrics } from './oncpu.ts';
import { fullMaps, isWhole, quality, untimedHints } from './quality.ts';
import { atEnd } from './runs.ts';
import type { Profile } from './schema.ts';
import { withLines } from './source-lines.ts';
import type { Symbols } from './symbols.ts';
import { callNames } from './syscall-name.ts';
import { addCallTimes } from './syscall-times.ts';
import { syscallMetrics } from './syscalls.ts';
import { lifetimes, type Names, namedByTid, namesOf, type Span, spanOf } from './threads.ts';

/**
 * The whole result out of a stream and what was learnt beside it. Pure: the same input gives the same profile.
 *
 * @param idle what the user says of which waits are idle
 */
export function assembleProfile(
  recording: Recording,
  facts: Facts,
  ending: Ending,
  symbols: Symbols,
  idle: readonly IdleMatch[] = [],
): Profile {
  const span = spanOf(recording, facts, ending);
  const names = namesOf(recording, facts, ending.alive);
  const newFrames = () => newFrameTable(addressSpaces(ending.mappings), symbols, facts);
  const [frames, runFrames] = [newFrames(), newFrames()];
  const calls = recording.maps.get('@calls') ?? [];
  const input = offcpuInput(recording, facts, ending, span, names);
  const offcpu = facts.profilers.includes('offcpu') ? offcpuMetrics(input, frames) : undefined;
  const named = offcpu && judged(namedOffcpu(offcpu.metrics, frames, symbols), idle);
  const oncpu = facts.profilers.includes('oncpu')
    ? oncpuMetrics(recording.maps.get('@oncpu') ?? [], runFrames, {
        comms: names.threads,
        stacks: facts.stacks,
        numbered: input.numbered,
      })
    : undefined;
  const ran = oncpu && namedMetrics(oncpu.metrics, runFrames, symbols);
  const syscalls = facts.profilers.includes('syscalls')
    ? syscallMetrics(calls, [], facts.host.arch, span.wall, names.processes)
    : undefined;
  const account =
    named && isAccounted(recording, facts)
      ? accountOf(
          input.lifetimes,
          cpuTimes(recording, facts, ending),
          knownRuns(recording, facts, offcpu.runs.ran),
          named,
          names,
        )
      : undefined;
  const unreadTimes =
    syscalls && facts.syscallTimes ? addTimes(syscalls.metrics, recording, facts, span, named) : 0;
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
      ...(named ? { offcpu: named } : {}),
      ...(ran ? { oncpu: ran } : {}),
      ...(syscalls ? { syscalls: syscalls.metrics } : {}),
    },
    ...(account ? { account } : {}),
    quality: quality(recording, facts, ending, {
      unreadable:
        (offcpu?.unreadable ?? 0) + (oncpu?.unreadable ?? 0) + (syscalls?.unreadable ?? 0) + unreadTimes,
      stacksMissing: (offcpu?.stacksMissing ?? 0) + (oncpu?.stacksMissing ?? 0),
      framesCut: (offcpu?.framesCut ?? 0) + (oncpu?.framesCut ?? 0),
      incomplete: offcpu?.incomplete ?? 0,
      wentUnseen: offcpu?.runs.unseen ?? 0,
      frames: [...(named?.frames ?? []), ...(ran?.frames ?? [])],
      problems: symbols.problems(),
      hints: [
        ...(named && facts.stacks ? hintsFor(named, facts, ending) : []),
        ...(named ? accountHints(account, named, isWhole(recording, facts)) : []),
        ...untimedHints(ending),
      ],
      wall: span.wall,
    }),
  };
}

function addTimes(
  metrics: Syscalls,
  recording: Recording,
  { host: { arch } }: Facts,
  { end }: Span,
  offcpu: Offcpu | undefined,
): number {
  const map = (name: string): readonly Entry[] => recording.maps.get(name) ?? [];
  const maps = {
    times: map('@times'),
    slowest: map('@slowest'),
    errors: map('@errors'),
    calls: map('@call'),
  };
  return addCallTimes(metrics, { ...maps, arch, end, stacks: offcpu?.stacks });
}

/** What names tell: which waits were idle, and where the time went. */
function judged(offcpu: Offcpu, idle: readonly IdleMatch[]): Offcpu {
  markIdle(offcpu, idle);
  offcpu.bottlenecks = bottlenecks(offcpu);
  return offcpu;
}

/** How long threads ran: not when `@off` had no room for one, and not of those that went out unseen. */
function knownRuns(
  recording: Recording,
  { room }: Facts,
  alive: ReadonlyMap<string, number>,
): Map<string, number> {
  if (fullMaps(recording, room).includes('@off')) return new Map();
  const missed = new Set(recording.maps.get('@missed')?.map(({ key }) => key));
  return new Map([...ranTimes(recording, alive)].filter(([key]) => !missed.has(key.split(':')[1] ?? '')));
}

/** A collection that was cut short has no moment at which all is known; without BTF nothing tells of the CPU. */
function isAccounted(recording: Recording, facts: Facts): boolean {
  return recording.end !== undefined && facts.btf;
}

/** Names for what is still blocked, too. */
function namedOffcpu(metrics: Offcpu, table: FrameTable, symbols: Symbols): Offcpu {
  return namedMetrics(metrics, table, symbols, (relined) => ({
    still_blocked: metrics.still_blocked.map(relined),
  }));
}

interface Stacked {
  readonly user: number[];
  readonly kernel: number[];
}

/** With lines, where they are asked for, and names for people. */
function namedMetrics<T extends Offcpu | Oncpu>(
  metrics: T,
  table: FrameTable,
  { lines, demangle }: Symbols,
  others: (relined: <R extends Stacked>(row: R) => R) => Partial<T> = () => ({}),
): T {
  if (!lines) return { ...metrics, frames: readable(table.frames, demangle) };
  const { frames, stack } = withLines(table, lines);
  const relined = <R extends Stacked>(row: R): R => ({
    ...row,
    user: stack(row.user),
    kernel: stack(row.kernel),
  });
  const stacks = (metrics.stacks as Stacked[]).map(relined);
  return { ...metrics, ...others(relined), stacks, frames: readable(frames, demangle) };
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
    extremes: map('@extremes'),
    off: map('@off'),
    numbered: readStacks(map),
    atOnce: recording.end !== undefined,
    callName: callNames(facts),
    stacks: facts.stacks,
    named: namedByTid(facts),
    comms: names.threads,
    lifetimes: recording.end === undefined ? new Map() : lifetimes(recording, facts, ending, span),
    ...atEnd(facts, ending, span),
  };
}
