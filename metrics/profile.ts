import type { MapEntries } from '../parsers/entries.ts';
import type { Ending, Facts } from './facts.ts';
import { newFrameTable } from './frames.ts';
import { locate } from './located.ts';
import type { AddressSpaces } from './mappings.ts';
import type { IdleMatch, Measurement, Reduced, StackRow, ThreadTimes, Window } from './measurement.ts';
import { fullMaps, isLossless, quality, untimedHints } from './quality.ts';
import { type Recorder, type Recording, recordingOf } from './recording.ts';
import type { Profile, Sample } from './schema.ts';
import type { ResolvedSymbols, SymbolRequests } from './symbols.ts';
import {
  cpuTimes,
  endStates,
  lifetimes,
  namedByTid,
  namesOf,
  type Span,
  spanOf,
  startOf,
  threadCounts,
} from './threads.ts';
import { newReading, type Reading } from './window.ts';

/** Everything that a result needs, except symbols. */
export interface Collected {
  /** The profilers of the collection, which read its maps. */
  readonly measurements: readonly Measurement[];
  readonly recording: Recording;
  readonly facts: Facts;
  /** The user's rules for idle waits. */
  readonly idle?: readonly IdleMatch[] | undefined;
}

/** The profilers of a collection, in the order of the registry. */
export function measured(
  { profilers }: Pick<Facts, 'profilers'>,
  registered: readonly Measurement[],
): Measurement[] {
  return registered.filter(({ name }) => profilers.includes(name));
}

/** Reads what a recorder holds now; several sessions become one recording. */
export function readRecorder(
  recorder: Recorder,
  facts: Facts,
  measurements: readonly Measurement[],
  idle?: readonly IdleMatch[],
): Collected {
  const maps = measurements.flatMap(({ maps }) => maps);
  const recording = recordingOf(recorder, {
    leftovers: new Set(maps.filter(({ role }) => role === 'leftover').map(({ name }) => name)),
    runsOf: (entries) => {
      const reading = newReading(entries, undefined, new Map());
      return measurements.flatMap((measurement) => measurement.runsAtEnd?.(reading) ?? []);
    },
  });
  return { measurements, recording, facts, idle };
}

/** A result that needs only the symbols that it requests. */
export interface Pending<Result> {
  readonly requests: SymbolRequests;
  readonly assemble: (symbols: ResolvedSymbols) => Result;
}

/**
 * Makes the whole result from a stream and the facts about it. Pure: the same input gives the same profile.
 *
 * @param lines whether frames should have source lines
 */
export function readProfile(collected: Collected, ending: Ending, lines = false): Pending<Profile> {
  const { recording, facts } = collected;
  const span = spanOf(recording, facts, ending);
  const isOneMoment = recording.end !== undefined;
  const pending = readWindow(collected, {
    ...{ isWhole: true, isOneMoment, lines, before: undefined },
    ...{ elapsedNs: span.wall, start: span.start, end: span.end },
    ...{ alive: ending.alive, aliveAgeNs: ending.aliveAgeNs ?? 0 },
    ...{ spaces: ending.mappings, perfMaps: ending.perfMaps },
    times: isOneMoment ? timesOf(recording, facts, ending, span) : NO_TIMES,
  });
  const assemble = (symbols: ResolvedSymbols): Profile => {
    const { window, parts, reading } = pending.assemble(symbols);
    const { names } = window;
    const account = parts.find(({ reduced }) => reduced.account)?.reduced.account;
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
      ebpf: partsByName(parts),
      ...(account ? { account } : {}),
      quality: quality(recording, facts, ending, {
        unreadable: reading.unreadable(),
        losses: parts.map(({ reduced }) => reduced.losses ?? {}),
        frames: parts.flatMap(({ measurement, reduced }) => measurement.stacks?.frames(reduced.part) ?? []),
        problems: symbols.problems,
        hints: [...parts.flatMap(({ reduced }) => reduced.hints ?? []), ...untimedHints(ending)],
        wall: span.wall,
      }),
    };
  };
  return { requests: pending.requests, assemble };
}

/** What the maps held at the start of an interval. */
export interface Earlier {
  readonly maps: MapEntries;
  /** ns of the kernel's clock */
  readonly at: number;
}

/**
 * Makes the figures of one interval: the content of the maps now minus their content at its start.
 *
 * @param earlier undefined for the first interval
 */
export function readSample(
  collected: Collected,
  earlier: Earlier | undefined,
  spaces: AddressSpaces,
): Pending<Sample> {
  const { recording, facts } = collected;
  const start = startOf(recording, facts);
  const { maps, at: from } = earlier ?? { maps: new Map(), at: start };
  const end = recording.tick ?? from;
  const pending = readWindow(collected, {
    ...{ isWhole: false, isOneMoment: false, lines: false, before: maps },
    ...{ elapsedNs: end - from, start, end, alive: [], aliveAgeNs: 0, spaces, perfMaps: [] },
    times: NO_TIMES,
  });
  return {
    requests: pending.requests,
    assemble: (symbols) => ({
      kind: 'sample',
      ts_ms: facts.t0Ms + Math.round((end - start) / 1e6),
      interval_ns: end - from,
      ebpf: partsByName(pending.assemble(symbols).parts),
    }),
  };
}

interface SpanOptions
  extends Pick<Window, 'isWhole' | 'isOneMoment' | 'elapsedNs' | 'start' | 'end' | 'spaces' | 'perfMaps'> {
  readonly before: MapEntries | undefined;
  readonly alive: Ending['alive'];
  readonly aliveAgeNs: number;
  readonly lines: boolean;
  readonly times: ThreadTimes;
}

interface Assembled {
  readonly window: Window;
  readonly parts: readonly ReducedPart[];
  readonly reading: Reading;
}

interface ReducedPart {
  readonly measurement: Measurement;
  readonly reduced: Reduced<unknown>;
}

/** Reads the rows of a span, and reduces them once their symbols are there. */
function readWindow(collected: Collected, span: SpanOptions): Pending<Assembled> {
  const { recording, facts, measurements } = collected;
  const named = namedByTid(facts);
  const reading = newReading(recording.maps, span.before, named);
  for (const map of measurements.flatMap(({ maps }) => maps)) reading.rows(map);
  const startStacks = new Map(
    [...named].map(([tid, { pid, blocked }]) => [
      tid,
      reading.addresses.user(facts.stacks ? (blocked?.user ?? '') : '', pid, 1),
    ]),
  );
  const located = locate(reading.addresses, span.spaces, facts, span.lines);
  const assemble = (symbols: ResolvedSymbols): Assembled => {
    const window: Window = {
      ...span,
      rows: reading.rows,
      newFrames: () => newFrameTable(located, symbols, facts),
      ...{ facts, recording, named, startStacks, measured: measurements, idle: collected.idle ?? [] },
      isLossless: isLossless(recording, facts),
      isFull: ({ name }) => fullMaps(recording, facts.room).includes(name),
      names: namesOf(recording, facts, span.alive),
      alive: endStates(facts, span.alive, span),
      lookedAt: span.end - span.aliveAgeNs,
      threads: span.times,
    };
    return { window, reading, parts: reduceAll(measurements, window) };
  };
  return { requests: located.requests, assemble };
}

function reduceAll(measurements: readonly Measurement[], window: Window): ReducedPart[] {
  const parts = measurements.map((measurement) => ({ measurement, reduced: measurement.reduce(window) }));
  const rows = () => (window.isWhole ? rowsOf(parts) : []);
  for (const { measurement, reduced } of parts) measurement.finish?.(reduced.part, rows, window);
  return parts;
}

function rowsOf(parts: readonly ReducedPart[]): StackRow[] {
  return parts.flatMap(({ measurement, reduced }) => measurement.stacks?.rows(reduced.part) ?? []);
}

function partsByName(parts: readonly ReducedPart[]): Record<string, unknown> {
  return Object.fromEntries(parts.map(({ measurement, reduced }) => [measurement.name, reduced.part]));
}

const NO_TIMES: ThreadTimes = { counts: new Map(), lifetimes: new Map(), cpu: new Map() };

function timesOf(recording: Recording, facts: Facts, { alive }: Ending, span: Span): ThreadTimes {
  return {
    counts: threadCounts(recording, alive),
    lifetimes: lifetimes(recording, facts, alive, span),
    cpu: cpuTimes(recording, facts, alive),
  };
}

/** The metadata that is known before anything is measured. */
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
