import { readStacks } from '../bt/profilers/stacks.ts';
import type { Entry } from '../parsers/entries.ts';
import type { Recording } from '../parsers/recording.ts';
import type { Offcpu } from './ebpf-schema.ts';
import type { Facts } from './facts.ts';
import { addressSpaces, newFrameTable, readable } from './frames.ts';
import { type IdleMatch, markIdle } from './idle.ts';
import type { AddressSpaces } from './mappings.ts';
import { offcpuMetrics, waitsBetween } from './offcpu.ts';
import { oncpuMetrics, samplesBetween } from './oncpu.ts';
import type { Sample } from './schema.ts';
import type { Symbols } from './symbols.ts';
import { callNames } from './syscall-name.ts';
import { syscallMetrics } from './syscalls.ts';
import { namedByTid, namesOf, startOf } from './threads.ts';

/** Where a collection stands at the end of an interval. */
export interface Tick {
  readonly recording: Recording;
  readonly facts: Facts;
  readonly mappings: AddressSpaces;
  readonly symbols: Symbols;
}

/** Makes a sample of each print: what the maps hold now, less what they held at the one before. */
export function newSampler(
  onSample: (sample: Sample, mappings: AddressSpaces) => void,
  idle: readonly IdleMatch[] = [],
): (tick: Tick) => void {
  let before: Earlier | undefined;
  return ({ recording, facts, mappings, symbols }) => {
    if (recording.tick === undefined) return;
    const earlier = before ?? { maps: new Map(), at: startOf(recording, facts) };
    onSample(assembleSample(recording, earlier, facts, mappings, symbols, idle), mappings);
    before = { maps: new Map(recording.maps), at: recording.tick };
  };
}

/** What the maps held at the start of an interval. */
export interface Earlier {
  readonly maps: ReadonlyMap<string, readonly Entry[]>;
  /** ns of the kernel's clock. */
  readonly at: number;
}

/** The figures of one interval: what the maps hold now, less what they held at its start. */
export function assembleSample(
  recording: Recording,
  earlier: Earlier,
  facts: Facts,
  mappings: AddressSpaces,
  symbols: Symbols,
  idle: readonly IdleMatch[] = [],
): Sample {
  const at = recording.tick ?? earlier.at;
  const names = namesOf(recording, facts, []);
  const now = (name: string): readonly Entry[] => recording.maps.get(name) ?? [];
  const before = (name: string): readonly Entry[] => earlier.maps.get(name) ?? [];
  const numbered = readStacks(now);
  const offcpu = () => {
    const waits = waitsBetween(now('@waits'), before('@waits'));
    const identity = { named: namedByTid(facts), comms: names.threads, lifetimes: new Map() };
    const input = {
      ...NO_EXTREMES,
      ...identity,
      callName: callNames(facts),
      waits,
      numbered,
      stacks: facts.stacks,
      end: at,
    };
    const frames = newFrameTable(addressSpaces(mappings), symbols, facts);
    const { metrics } = offcpuMetrics(input, frames);
    const named = { ...metrics, frames: readable(metrics.frames, symbols.demangle) };
    markIdle(named, idle);
    return named;
  };
  const oncpu = () => {
    const samples = samplesBetween(now('@oncpu'), before('@oncpu'));
    const frames = newFrameTable(addressSpaces(mappings), symbols, facts);
    const { metrics } = oncpuMetrics(samples, frames, {
      comms: names.threads,
      stacks: facts.stacks,
      numbered,
    });
    return { ...metrics, frames: readable(metrics.frames, symbols.demangle) };
  };
  const syscalls = () =>
    syscallMetrics(now('@calls'), before('@calls'), facts.host.arch, at - earlier.at, names.processes)
      .metrics;
  return {
    kind: 'sample',
    ts_ms: facts.t0Ms + Math.round((at - startOf(recording, facts)) / 1e6),
    interval_ns: at - earlier.at,
    ebpf: {
      ...(facts.profilers.includes('offcpu') ? { offcpu: withoutExtremes(offcpu()) } : {}),
      ...(facts.profilers.includes('oncpu') ? { oncpu: oncpu() } : {}),
      ...(facts.profilers.includes('syscalls') ? { syscalls: syscalls() } : {}),
    },
  };
}

/** The kernel keeps extremes, and what is still blocked is asked for, for the whole collection only. */
const NO_EXTREMES = {
  extremes: [],
  off: [],
  atOnce: false,
  alive: new Map(),
  lookedAt: 0,
} as const;

function withoutExtremes(metrics: Offcpu): NonNullable<Sample['ebpf']['offcpu']> {
  const { max_time_ns, min_time_ns, still_blocked, bottlenecks, ...rest } = metrics;
  const threads = Object.entries(rest.thread_stats).map(([key, thread]) => {
    const { max_time_ns, min_time_ns, lifetime_ns, ...kept } = thread;
    return [key, kept] as const;
  });
  return { ...rest, thread_stats: Object.fromEntries(threads) };
}
