/**
 * Measures what ten times as many threads, processes, switches, stacks or seconds cost. Runs `btprof run` on each workload and
 * takes the cost from its result and from /proc.
 */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { $, type ProcessPromise } from 'zx';
import { mapBytesOf, peakOf } from '../../bt/driver/footprint.ts';
import { childrenOf } from '../../bt/driver/procfs.ts';
import type { Profile } from '../../metrics/schema.ts';
import { Refusal } from '../refusal.ts';
import { GCC, type MeasuredBpftrace, requireBpftraces } from './needs.ts';
import {
  commandOf,
  compile,
  isRunning,
  pidOf,
  QUIET,
  requireQuiet,
  temporaryDirectory,
} from './run-tools.ts';

/** A quantity that a workload has once in a small and once in a large amount. */
interface Dimension {
  readonly name: string;
  readonly workload: string;
  readonly sizes: readonly [number, number];
  readonly args: (n: number) => readonly string[];
  readonly options?: readonly string[];
}

const DIMENSIONS: readonly Dimension[] = [
  { name: 'threads at once', workload: 'crowd', sizes: [1000, 10_000], args: (n) => ['0', `${n}`] },
  {
    ...{ name: 'processes, one after the other', workload: 'forks', sizes: [5000, 50_000] },
    args: (n) => [`${n}`],
    options: ['--map-entries', '262144'],
  },
  {
    ...{ name: 'switches', workload: 'ping-pong', sizes: [100_000, 1_000_000] },
    args: (n) => [`${n / 2}`],
    options: ['--profilers', 'offcpu'],
  },
  {
    ...{ name: 'different stacks', workload: 'many-stacks', sizes: [6554, 65_536] },
    args: (n) => [`${n}`, '16'],
    options: ['--map-entries', '262144'],
  },
  {
    ...{ name: 'seconds, printed every second', workload: 'steady', sizes: [6, 60] },
    args: (n) => [`${n}`],
    options: ['--interval', '1s'],
  },
];

/** How often the sizes of processes are read; the kernel records their peaks. */
const LOOK_MS = 20;

interface Cost {
  readonly n: number;
  /** Time spent in the kernel. */
  readonly nsPerEvent: number;
  readonly eventsPerSecond: number;
  /** Time in ms from the end of the command to the end of btprof. */
  readonly endMs: number;
  /** Peaks of resident memory, and the memory of BPF maps, in bytes. */
  readonly btprof: number;
  readonly bpftrace: number;
  readonly maps: number;
  /** Losses by kind; empty without losses. */
  readonly lost: string;
  /** Whether everything was counted; skipped runs do not matter here. */
  readonly isWhole: boolean;
}

/** @returns whether no run lost anything */
export async function benchScale(): Promise<boolean> {
  const versions = await requireBpftraces(GCC);
  requireQuiet();
  const dir = temporaryDirectory();
  let whole = true;
  for (const bpftrace of versions) {
    console.log(`\nbpftrace ${bpftrace.version}`);
    console.log(HEAD);
    for (const dimension of DIMENSIONS) whole = (await benchDimension(bpftrace, dimension, dir)) && whole;
  }
  return whole;
}

const HEAD = `| of what | how many | ns an event | events a second | ms to the end | btprof MB | bpftrace MB | kernel's maps MB | lost |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |`;

async function benchDimension(
  bpftrace: MeasuredBpftrace,
  dimension: Dimension,
  dir: string,
): Promise<boolean> {
  const file = await compile(dimension.workload, dir);
  let whole = true;
  for (const n of dimension.sizes) {
    const cost = await costOf(bpftrace, dimension, n, file, join(dir, 'result.json'));
    console.log(`| ${dimension.name} | ${cells(cost).join(' | ')} |`);
    whole &&= cost.isWhole;
  }
  return whole;
}

function cells({ n, nsPerEvent, eventsPerSecond, endMs, btprof, bpftrace, maps, lost }: Cost): string[] {
  const whole = (x: number) => Math.round(x).toLocaleString('en-US');
  const mb = [btprof, bpftrace, maps].map((bytes) => whole(bytes / 1e6));
  return [whole(n), whole(nsPerEvent), whole(eventsPerSecond), whole(endMs), ...mb, lost || 'nothing'];
}

async function costOf(
  { path }: MeasuredBpftrace,
  { args, options = [] }: Dimension,
  n: number,
  workload: string,
  result: string,
): Promise<Cost> {
  const words = [
    'run',
    '--bpftrace',
    path,
    '--format',
    'jsonl',
    '-o',
    result,
    ...options,
    '--',
    workload,
    ...args(n),
  ];
  const child = $({ ...QUIET, stdio: ['ignore', 'ignore', 'inherit'] })`exec node dist/btprof.mjs ${words}`;
  const seen = await watch(child, basename(workload));
  const { exitCode } = await child;
  if (exitCode !== 0) throw new Refusal(`btprof ${words.join(' ')} ended with status ${exitCode}`);
  const lines = readFileSync(result, 'utf8').trimEnd().split('\n');
  const { quality } = JSON.parse(lines.at(-1) as string) as Profile;
  if (!quality.overhead) throw new Refusal(`the cost is unknown: ${quality.hints.join(', ')}`);
  return {
    n,
    nsPerEvent: quality.overhead.ns_per_event,
    eventsPerSecond: quality.overhead.events_per_second,
    ...seen,
    lost: lossOf(quality, [...LOSSES, 'runs_skipped']),
    isWhole: lossOf(quality, LOSSES) === '',
  };
}

type Loss = 'lost_events' | 'dropped_lines' | 'map_full' | 'kernel_errors' | 'runs_skipped';
const LOSSES: readonly Loss[] = ['lost_events', 'dropped_lines', 'map_full', 'kernel_errors'];

function lossOf(quality: Profile['quality'], kinds: readonly Loss[]): string {
  return kinds.flatMap((kind) => (quality[kind] > 0 ? [`${kind} ${quality[kind]}`] : [])).join(', ');
}

/** Watches until btprof has ended. `command` is the name of the process that it starts. */
async function watch(
  child: ProcessPromise,
  command: string,
): Promise<Pick<Cost, 'endMs' | 'btprof' | 'bpftrace' | 'maps'>> {
  const seen = { btprof: 0, bpftrace: 0, maps: 0 };
  let [commandRan, commandEnded] = [false, Number.NaN];
  while (isRunning(child)) {
    const pid = pidOf(child);
    const others = childrenOf(pid).map((other) => ({ pid: other, name: commandOf(other).trim() }));
    const tracer = others.find(({ name }) => name === 'bpftrace')?.pid;
    const runs = others.some(({ name }) => name === command);
    commandRan ||= runs;
    if (commandRan && !runs && Number.isNaN(commandEnded)) commandEnded = performance.now();
    seen.btprof = Math.max(seen.btprof, peakOf(pid));
    if (tracer !== undefined) {
      seen.bpftrace = Math.max(seen.bpftrace, peakOf(tracer));
      seen.maps = Math.max(seen.maps, mapBytesOf(tracer));
    }
    await sleep(LOOK_MS);
  }
  if (Number.isNaN(commandEnded)) throw new Refusal(`the end of ${command} was not seen`);
  return { ...seen, endMs: performance.now() - commandEnded };
}
