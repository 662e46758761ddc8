import type { Entry } from '../parsers/entries.ts';
import { type Mapping, parseMaps } from '../parsers/proc.ts';
import type { Recording } from '../parsers/recording.ts';
import type { RawFrame } from '../parsers/stack.ts';
import { type FindMapping, newFrameTable } from './frames.ts';
import { offcpuMetrics, waitsBetween } from './offcpu.ts';
import type { HostInfo, Metadata, Profile, Quality, Sample } from './schema.ts';
import type { Arch } from './syscall-name.ts';
import { syscallMetrics } from './syscalls.ts';

/** What is known of a collection besides its stream. Plain data: a recording of it makes the same profile. */
export interface Facts {
  readonly mode: Metadata['mode'];
  readonly pid: number | null;
  readonly cmd: readonly string[];
  readonly executable: string | null;
  /** Start of the collection, ms since 1970 and CLOCK_MONOTONIC ns. */
  readonly t0Ms: number;
  readonly startNs: number;
  readonly host: HostInfo & { readonly arch: Arch };
  readonly btprof: string;
  readonly bpftrace: string;
  readonly profilers: readonly string[];
  readonly stacks: boolean;
  /** Entries that each kernel map has room for. */
  readonly mapEntries: number;
}

/** What is known when the collection has ended. */
export interface Ending {
  readonly endNs: number;
  readonly exit: Metadata['exit'];
  readonly incomplete: boolean;
  /** Threads of followed processes that were alive at the end. */
  readonly alive: readonly LiveThread[];
  /** Process of each thread that was named to the program when it ran already, [tid, pid]. */
  readonly named: readonly (readonly [number, number])[];
  /** Text of /proc/PID/maps by `PID:GENERATION`. */
  readonly mappings: Readonly<Record<string, string>>;
  /** Stacks that bpftrace itself said it could not read. */
  readonly stacksUnread: number;
  readonly warnings: readonly string[];
}

export interface LiveThread {
  readonly pid: number;
  readonly tid: number;
  readonly comm: string;
  /** State letter of /proc/PID/stat. */
  readonly state: string;
  /** Kernel and user frames, for threads blocked since before the start. */
  readonly kernel?: readonly RawFrame[];
  readonly user?: readonly RawFrame[];
}

/** The whole result out of a stream and what was learnt beside it. Pure: the same input gives the same profile. */
export function assembleProfile(recording: Recording, facts: Facts, ending: Ending): Profile {
  const span = spanOf(recording, facts, ending);
  const names = namesOf(recording, ending);
  const frames = newFrameTable(mappingFinder(ending.mappings));
  const map = (name: string): readonly Entry[] => recording.maps.get(name) ?? [];
  const offcpu = facts.profilers.includes('offcpu')
    ? offcpuMetrics(
        {
          waits: map('@waits'),
          longest: map('@longest'),
          shortest: map('@shortest'),
          off: map('@off'),
          stacks: facts.stacks,
          owners: new Map(ending.named),
          comms: names.threads,
          lifetimes: lifetimes(recording, ending, span),
          end: span.end,
          running: new Set(ending.alive.filter((t) => t.state === 'R').map((t) => t.tid)),
          blockedStacks: new Map(
            ending.alive.map((t) => [t.tid, { kernel: t.kernel ?? [], user: t.user ?? [] }]),
          ),
        },
        frames,
      )
    : undefined;
  const syscalls = facts.profilers.includes('syscalls')
    ? syscallMetrics(map('@calls'), [], facts.host.arch, span.wall, names.processes)
    : undefined;
  return {
    kind: 'profile',
    schema: 'btprof/1',
    metadata: {
      ...metadataOf(facts),
      wall_time_ns: span.wall,
      exit: ending.exit,
      processes: names.processes.size,
      threads: names.threadCount,
      incomplete: ending.incomplete,
    },
    ebpf: {
      ...(offcpu ? { offcpu: offcpu.metrics } : {}),
      ...(syscalls ? { syscalls: syscalls.metrics } : {}),
    },
    quality: quality(recording, facts, ending, {
      unreadable: (offcpu?.unreadable ?? 0) + (syscalls?.unreadable ?? 0),
      stacksMissing: (offcpu?.stacksMissing ?? 0) + ending.stacksUnread,
      frames: frames.frames,
    }),
  };
}

/** The figures of one interval: what the maps hold now, less what they held at its start. */
export function assembleSample(
  recording: Recording,
  before: { readonly maps: ReadonlyMap<string, readonly Entry[]>; readonly at: number },
  facts: Facts,
): Sample {
  const at = recording.tick ?? before.at;
  const names = namesOf(recording, { alive: [] });
  const map = (name: string): readonly Entry[] => recording.maps.get(name) ?? [];
  const earlier = (name: string): readonly Entry[] => before.maps.get(name) ?? [];
  const sample: Sample = {
    kind: 'sample',
    ts_ms: facts.t0Ms + Math.round((at - facts.startNs) / 1e6),
    interval_ns: at - before.at,
    ebpf: {},
  };
  if (facts.profilers.includes('offcpu')) {
    const waits = waitsBetween(map('@waits'), earlier('@waits'));
    const frames = newFrameTable(() => undefined);
    const none = { longest: [], shortest: [], off: [], owners: new Map(), lifetimes: new Map(), end: at };
    const input = {
      ...none,
      waits,
      stacks: facts.stacks,
      comms: names.threads,
      running: new Set<number>(),
      blockedStacks: new Map(),
    };
    sample.ebpf.offcpu = withoutExtremes(offcpuMetrics(input, frames).metrics);
  }
  if (facts.profilers.includes('syscalls')) {
    sample.ebpf.syscalls = syscallMetrics(
      map('@calls'),
      earlier('@calls'),
      facts.host.arch,
      sample.interval_ns,
      names.processes,
    ).metrics;
  }
  return sample;
}

/** What a result says of its origin, before anything is measured. */
export function metadataOf(facts: Facts) {
  const { mode, pid, cmd, executable, host, btprof, bpftrace, profilers } = facts;
  return {
    mode,
    pid,
    cmd: [...cmd],
    executable,
    t0_ms: facts.t0Ms,
    host,
    btprof,
    bpftrace,
    profilers: [...profilers],
  };
}

function withoutExtremes(
  metrics: NonNullable<Profile['ebpf']['offcpu']>,
): NonNullable<Sample['ebpf']['offcpu']> {
  const { max_time_ns, min_time_ns, still_blocked, bottlenecks, ...rest } = metrics;
  const threads = Object.entries(rest.thread_stats).map(([key, thread]) => {
    const { max_time_ns, min_time_ns, lifetime_ns, ...kept } = thread;
    return [key, kept] as const;
  });
  return { ...rest, thread_stats: Object.fromEntries(threads) };
}

interface Span {
  readonly start: number;
  readonly end: number;
  readonly wall: number;
}

/** `run` is timed by the kernel, from the command's exec to its exit; the others from start to end. */
function spanOf(recording: Recording, facts: Facts, ending: Ending): Span {
  const end = recording.end ?? (ending.incomplete ? recording.tick : undefined) ?? ending.endNs;
  if (facts.mode !== 'run') return { start: facts.startNs, end, wall: Math.max(0, end - facts.startNs) };
  const start = recording.execs.find((e) => e.pid === facts.pid)?.at ?? facts.startNs;
  const left = recording.exits.find((e) => e.pid === facts.pid && e.tid === facts.pid)?.at ?? end;
  return { start, end, wall: Math.max(0, Math.min(left, end) - start) };
}

/** The last known name of each process and thread: at its exit, at the end, or at exec or fork. */
function namesOf(recording: Recording, ending: Pick<Ending, 'alive'>) {
  const processes = new Map<number, string>();
  const threads = new Map<number, string>();
  const seen = new Set<string>();
  const started = [...recording.execs, ...recording.forks].sort((a, b) => a.at - b.at);
  for (const event of started) {
    const comm = event.type === 'exec' ? event.comm : (processes.get(event.parent) ?? '');
    processes.set(event.pid, comm);
    threads.set(event.pid, comm);
    seen.add(`${event.pid}:${event.pid}`);
  }
  for (const { pid, tid, comm } of [...ending.alive, ...recording.exits]) {
    if (tid === pid || !processes.has(pid)) processes.set(pid, comm);
    threads.set(tid, comm);
    seen.add(`${pid}:${tid}`);
  }
  return { processes, threads, threadCount: seen.size };
}

/**
 * How long threads lived within the collection: those that exited with their start time known, and those that
 * were there from its start to its end.
 */
function lifetimes(recording: Recording, ending: Ending, span: Span): Map<string, number> {
  const named = new Map(ending.named);
  const throughout = ending.alive.filter(({ pid, tid }) => named.get(tid) === pid);
  const lived = new Map(throughout.map(({ pid, tid }) => [`${pid}:${tid}`, span.end - span.start]));
  for (const { pid, tid, start, at } of recording.exits) {
    if (start > 0) lived.set(`${pid}:${tid}`, at - Math.max(start, span.start));
  }
  return lived;
}

/** Each text is parsed once, when the first address of its process is asked for. */
function mappingFinder(texts: Ending['mappings']): FindMapping {
  const parsed = new Map<string, Mapping[]>();
  return (pid, generation, address) => {
    const key = `${pid}:${generation}`;
    const mappings = parsed.get(key) ?? parseMaps(texts[key] ?? '');
    parsed.set(key, mappings);
    return mappings.find((m) => m.start <= address && address < m.end);
  };
}

function quality(
  recording: Recording,
  facts: Facts,
  ending: Ending,
  found: { unreadable: number; stacksMissing: number; frames: readonly { symbol: string | null }[] },
): Quality {
  const full = [...recording.maps].filter(([, entries]) => entries.length >= facts.mapEntries);
  return {
    lost_events: recording.quality.lostEvents,
    dropped_lines: recording.quality.linesDropped + found.unreadable,
    map_full: full.length,
    stacks_missing: found.stacksMissing,
    frames_total: found.frames.length,
    frames_unresolved: found.frames.filter((frame) => frame.symbol === null).length,
    frames_cut: 0,
    warnings: [
      ...ending.warnings,
      ...full.map(
        ([name]) => `the kernel map ${name} is full at ${facts.mapEntries} entries: its counts are too small`,
      ),
    ],
  };
}
