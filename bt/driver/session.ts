import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Symbols } from '../../metrics/symbols.ts';
import { type KernelSymbols, parseKernelSymbols } from '../../parsers/kernel-symbols.ts';
import { newRecording, type Recording, recordLine } from '../../parsers/recording.ts';
import type { StreamEvent, StreamLine } from '../../parsers/stream.ts';
import { composeMaps, composeProgram, type Plan } from '../compose.ts';
import type { Dialect } from '../dialect.ts';
import { BtprofError, interrupted } from '../errors.ts';
import { kernelBytes, type Limits, limitsFor, type Means, roomOf } from '../limits.ts';
import { ASKING } from '../program.ts';
import { demangle } from '../symbols/closures/demangle.ts';
import { newUserSymbols } from '../symbols/closures/user-symbols.ts';
import { type MappingCache, newMappingCache } from '../symbols/mapping-cache.ts';
import { newObjectFiles } from '../symbols/object-files.ts';
import { newPerfMaps, type PerfMaps } from '../symbols/perf-maps.ts';
import type { SymbolCache } from '../symbols/symbol-cache.ts';
import type { Follow } from '../tracking.ts';
import type { Host } from './host.ts';
import { tryRead } from './procfs.ts';
import { explainFailure, type ProgramRuns, startTracer, type Tracer } from './tracer.ts';

export interface SessionOptions {
  readonly plan: Plan;
  readonly host: Host;
  readonly dialect: Dialect;
  /** The bpftrace command. */
  readonly bpftrace: string;
  readonly follow: Follow;
  /** Processes whose user stacks are unwound by DWARF. */
  readonly dwarfPids: readonly number[];
  /** Whether lines of the source are wanted. */
  readonly lines: boolean;
  /** None when nothing is to be kept. */
  readonly symbolCache: SymbolCache | undefined;
  /** Threads that run already and will be followed. */
  readonly threads: number;
  /** A session that has ended, whose collection this one goes on with. */
  readonly continues?: Session;
  /** Settles when there is nothing to wait for any more: Ctrl-C, or the held process is gone. */
  readonly giveUp: Promise<unknown>;
  /** Ran with each complete print at an interval. */
  readonly onTick: (recording: Recording, mappings: MappingCache, symbols: Symbols) => void;
  /** Ran as soon as there is a process to kill, whatever happens then. */
  readonly onTracer: (tracer: Tracer) => void;
  readonly debug: (text: string) => void;
  /** Keeps all that the result is made of. */
  readonly keeper?: Keeper | undefined;
}

/** Keeps what the result of a collection is made of, as it comes. */
export interface Keeper {
  /** @param text the raw line */
  readonly onLine: (text: string, line: StreamLine) => void;
  /** The symbols, whose answers are to be kept. */
  readonly symbols: (symbols: Symbols) => Symbols;
}

interface Knowledge {
  readonly recording: Recording;
  readonly mappings: MappingCache;
  readonly perfMaps: PerfMaps;
  readonly symbols: Symbols;
}

/** A bpftrace whose probes are live. */
export interface Session extends Knowledge {
  readonly tracer: Tracer;
  readonly limits: Limits;
  /** Room that the maps have: less than was asked for when a wrapper does not pass the environment on. */
  readonly mapEntries: number;
  /** How many keys fit into each kernel map. */
  readonly room: Readonly<Record<string, number>>;
  /** Resolves when the command is held at its entry. */
  readonly entered: Promise<void>;
  /** What the kernel tells of our programs, also of those of the session that this one continues. */
  readonly programRuns: () => ProgramRuns;
  /** Has the program print all its maps; resolves when they are read, or bpftrace has ended, with when it began to, by our clock, ms. */
  readonly printMaps: () => Promise<number>;
}

/**
 * Starts bpftrace and waits until every probe is live.
 *
 * @throws BtprofError when bpftrace ends before, or with status 130 when it is given up
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { dialect, bpftrace, debug } = options;
  const { program, limits, roomFor } = prepareProgram(options);
  debug(`program:\n${program}`);
  debug(`limits: ${JSON.stringify(limits)}`);
  const marks = newMarks();
  const { recording, mappings, perfMaps, symbols } = options.continues ?? newKnowledge(options);
  const onLine = (text: string) => {
    const line = recordLine(recording, text);
    options.keeper?.onLine(text, line);
    if (line.kind === 'dropped') debug(`dropped: ${line.reason}`);
    if (line.kind === 'ignored' && line.remark) debug(`bpftrace: ${line.remark}`);
    if (line.kind !== 'event') return;
    mappings.onEvent(line.event);
    marks.pass(line.event.type);
    if (line.event.type === 'tock' && recording.end === undefined)
      options.onTick(recording, mappings, symbols);
  };
  const started = performance.now();
  const environment = dialect.environment(limits);
  const { dwarfPids, follow } = options;
  const signals = follow.kind === 'held' && follow.entry !== undefined;
  const tracer = await startTracer(bpftrace, program, environment, { dwarfPids, signals }, onLine);
  options.onTracer(tracer);
  symbols.kernel('0'); // kallsyms is read while bpftrace gets ready
  await untilReady(tracer, marks, options.giveUp);
  debug(`armed after ${Math.round(performance.now() - started)} ms`);
  const mapEntries = tracer.mapEntries() ?? limits.mapEntries;
  return {
    tracer,
    recording,
    mappings,
    symbols,
    perfMaps,
    limits,
    mapEntries,
    room: roomFor(mapEntries),
    entered: marks.passed('entry'),
    programRuns: () => addRuns(tracer.programRuns(), options.continues?.programRuns()),
    printMaps: () => printMaps(tracer, marks, debug),
  };
}

function addRuns(runs: ProgramRuns, earlier: ProgramRuns = { skipped: 0, timed: 0, timeNs: 0 }): ProgramRuns {
  return {
    skipped: runs.skipped + earlier.skipped,
    timed: runs.timed + earlier.timed,
    timeNs: runs.timeNs + earlier.timeNs,
  };
}

/** What is learnt of the processes. */
function newKnowledge({ plan, symbolCache, lines: wanted, keeper }: SessionOptions): Knowledge {
  const [files, perfMaps] = [newObjectFiles(), newPerfMaps()];
  const { user, frameless, buildId, lines, problems } = newUserSymbols(files, symbolCache);
  let kernel: KernelSymbols | undefined;
  const own: Symbols = {
    kernel: (address) => {
      kernel ??= readKernelSymbols(plan.stacks);
      return kernel.find(address);
    },
    user,
    frameless,
    buildId,
    jit: perfMaps.find,
    demangle,
    lines: wanted ? lines : undefined,
    problems: () => [...problems(), ...perfMaps.problems()],
  };
  const symbols = keeper?.symbols(own) ?? own;
  return { recording: newRecording(), mappings: newMappingCache(files, perfMaps), perfMaps, symbols };
}

function prepareProgram({ plan, host, dialect, follow, dwarfPids, threads }: SessionOptions) {
  const context = { dialect, arch: host.info.arch, btf: host.btf, follow, dwarfPids, self: process.pid };
  const means = {
    maps: composeMaps(plan, context),
    stackStore: dialect.stackStore,
    statsSlots: dialect.statsSlots,
    stackDepth: plan.stackDepth,
    memoryBytes: Math.min(totalmem(), process.constrainedMemory() || Infinity),
    cpus: host.possibleCpus,
    threads,
    mapEntries: plan.mapEntries,
  };
  const limits = limitsFor(means);
  requireMemory(means, limits);
  const program = composeProgram({ ...plan, stackDepth: limits.stackDepth }, context);
  return { program, limits, roomFor: (mapEntries: number) => roomOf(means, { ...limits, mapEntries }) };
}

/** Share of memory beyond which the kernel may fail only after minutes, and take the host with it. */
const MOST_MEMORY = 0.5;

function requireMemory(means: Means, limits: Limits): void {
  const bytes = kernelBytes(means, limits);
  if (bytes < MOST_MEMORY * means.memoryBytes) return;
  const [needed, there] = [bytes, means.memoryBytes].map((n) => `${(n / 1e9).toFixed(1)} GB`);
  const { mapEntries } = limitsFor({ ...means, mapEntries: undefined });
  throw new BtprofError(
    `kernel maps of ${limits.mapEntries} entries take ${needed} of memory, and there are ${there}.`,
    `Without --map-entries they have ${mapEntries}.`,
  );
}

function readKernelSymbols(wanted: boolean) {
  const text = wanted ? tryRead(() => readFileSync('/proc/kallsyms', 'latin1')) : undefined;
  return parseKernelSymbols(text ?? '');
}

async function untilReady(tracer: Tracer, marks: Marks, giveUp: Promise<unknown>): Promise<void> {
  const state = await Promise.race([
    marks.passed('ready').then(() => 'ready' as const),
    tracer.ended,
    giveUp.then(() => 'given up' as const),
  ]);
  if (state === 'ready') return;
  if (state !== 'given up') throw explainFailure(state, tracer.remarks());
  tracer.kill();
  await tracer.ended;
  throw interrupted();
}

/** How long the word that the maps come may take; the maps themselves take as long as they do. */
const STOP_MS = 3000;

/**
 * The program prints its maps when we start a process under the name it knows. Should that event get lost, bpftrace prints them
 * when it ends.
 */
async function printMaps(tracer: Tracer, marks: Marks, debug: (text: string) => void): Promise<number> {
  const { title } = process;
  process.title = ASKING;
  spawn('/bin/sh', ['-c', ':'], { stdio: 'ignore' }).on('error', () => undefined);
  process.title = title;
  const heard = await Promise.race([
    marks.passed('stop').then(() => true),
    tracer.ended.then(() => true),
    sleep(STOP_MS, false),
  ]);
  const stopped = performance.now();
  if (heard) {
    await Promise.race([marks.passed('end'), tracer.ended]);
    return stopped;
  }
  debug('the program did not hear that it should stop; interrupting bpftrace');
  tracer.interrupt();
  await tracer.ended;
  return stopped;
}

/** Events of the stream that something waits for. */
interface Marks {
  readonly pass: (type: StreamEvent['type']) => void;
  readonly passed: (type: StreamEvent['type']) => Promise<void>;
}

function newMarks(): Marks {
  const seen = new Set<string>();
  const waiting: [string, () => void][] = [];
  return {
    pass: (type) => {
      seen.add(type);
      for (const [wanted, resolve] of waiting) if (wanted === type) resolve();
    },
    passed: (type) => new Promise((resolve) => (seen.has(type) ? resolve() : waiting.push([type, resolve]))),
  };
}
