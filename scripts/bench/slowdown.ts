/**
 * Measures how much longer a program takes under btprof and under other tools, and how much data they write. The tools run in
 * turn.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { $, type ProcessPromise } from 'zx';
import { Refusal } from '../refusal.ts';
import { countedCalls, type Program, savedStacks } from './compared-programs.ts';
import type { MeasuredBpftrace } from './needs.ts';
import { inTurn, median, type Result, rowOf } from './rows.ts';
import {
  heard,
  type Installed,
  obstacleTo,
  QUIET,
  startAttached,
  startProgram,
  type Tool,
} from './run-tools.ts';

const TURNS = 5;

/** A tool that runs a command, or traces beside it. */
interface Peer {
  readonly name: string;
  /** Undefined for btprof and bpftrace. */
  readonly installed?: Installed;
  /** Prepended to the command; the tool writes to the working directory. */
  readonly before?: readonly string[];
  /** Starts a tool that traces the whole machine. */
  readonly beside?: () => Promise<Tool>;
  /** Factor by which it gets fewer events, because it is slow. */
  readonly fewer?: number;
  readonly aim?: number;
}

interface Bound {
  readonly measure: string;
  readonly workload: (events: number) => readonly string[];
  readonly events: number;
  /** Options of btprof. */
  readonly options: readonly string[];
  readonly peers: readonly Peer[];
  /** The least that a bpftrace program must do for the same result. */
  readonly least?: { readonly name: string; readonly program: () => Program };
  /** The peer whose written bytes are compared with ours. */
  readonly writes?: Peer;
}

const libbpfTool = (command: string, trial: readonly string[]): Peer => ({
  name: `${command} (libbpf-tools)`,
  installed: { package: 'libbpf-tools', trial },
  beside: () => startAttached(command, []),
  aim: 1,
});

const perf = (...words: string[]): Installed => ({ package: 'linux-perf', trial: ['perf', ...words] });

/** dd makes two calls per byte. */
const SYSCALLS: Bound = {
  measure: 'time added to each system call of dd bs=1',
  workload: (n) => ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=1', `count=${n / 2}`, 'status=none'],
  events: 2_000_000,
  options: ['-p', 'syscalls'],
  peers: [
    {
      name: 'strace -c -f',
      installed: { package: 'strace', trial: ['strace', '-o', '/dev/null', 'true'] },
      before: ['strace', '-c', '-f', '-o', 'out'],
      fewer: 50,
      aim: 1 / 30,
    },
    {
      name: 'perf trace -s',
      installed: perf('trace', '-s', '-o', '/dev/null', '--', 'true'),
      before: ['perf', 'trace', '-s', '-o', 'out', '--'],
      fewer: 5,
      aim: 1,
    },
    libbpfTool('syscount', ['syscount', '-d', '1']),
  ],
  least: { name: 'minimal bpftrace: one count()', program: countedCalls },
};

const SCHED_RECORD: Peer = {
  name: 'perf sched record',
  installed: perf('sched', 'record', '-o', '/dev/null', '--', 'true'),
  before: ['perf', 'sched', 'record', '-o', 'out', '--'],
  aim: 1,
};

/** A round has two context switches. */
const pingPongOf = (pingPong: string) => ({
  workload: (n: number) => ['taskset', '-c', '0', pingPong, `${n / 2}`],
  events: 200_000,
});

/** perf sched saves no stacks, so it is in both tables. */
const withoutStacks = (pingPong: string): Bound => ({
  measure: 'time added to each switch of a pipe ping-pong, --no-stacks',
  ...pingPongOf(pingPong),
  options: ['-p', 'offcpu', '--no-stacks'],
  peers: [SCHED_RECORD],
});

const withStacks = (pingPong: string): Bound => ({
  measure: 'time added to each switch of a pipe ping-pong, both stacks',
  ...pingPongOf(pingPong),
  options: ['-p', 'offcpu'],
  peers: [
    libbpfTool('offcputime', ['offcputime', '1']),
    {
      name: 'perf record -e sched:sched_switch -g',
      installed: perf('record', '-e', 'sched:sched_switch', '-g', '-o', '/dev/null', '--', 'true'),
      before: ['perf', 'record', '-q', '-e', 'sched:sched_switch', '-g', '-o', 'out', '--'],
      aim: 1,
    },
    SCHED_RECORD,
  ],
  least: { name: 'minimal bpftrace: both stacks saved', program: savedStacks },
  writes: SCHED_RECORD,
});

/** The result of one run. */
interface Outcome {
  /** Per event. */
  readonly ns: number;
  readonly bytes: number;
}

/**
 * @param pingPong the workload
 * @param dir directory that the tools write to
 */
export async function benchSlowdown(
  versions: readonly MeasuredBpftrace[],
  pingPong: string,
  dir: string,
): Promise<Result[]> {
  const rows: Result[] = [];
  for (const bound of [SYSCALLS, withStacks(pingPong), withoutStacks(pingPong)])
    rows.push(...(await benchBound(versions, bound, dir)));
  return rows;
}

async function benchBound(
  versions: readonly MeasuredBpftrace[],
  bound: Bound,
  dir: string,
): Promise<Result[]> {
  const ours = versions.map((bpftrace) => btprof(bpftrace, bound.options));
  const floors = versions.map((bpftrace) => leastOf(bound, bpftrace));
  const runnable: Peer[] = [...ours, ...floors.flatMap((floor) => floor ?? [])];
  const obstacles = new Map<Peer, string>();
  for (const peer of bound.peers) {
    const obstacle = peer.installed && (await obstacleTo(peer.installed));
    if (obstacle) obstacles.set(peer, obstacle);
    else runnable.push(peer);
  }
  const outcomes = await outcomesOf(bound, runnable, dir);
  return versions.flatMap(({ version }, v) =>
    [...bound.peers, floors[v] ?? []].flat().flatMap((peer) => {
      const of = { measure: bound.measure, bpftrace: version, peer: peer.name, aim: peer.aim };
      const reason = obstacles.get(peer);
      if (reason) return [{ ...of, reason }];
      const [us = [], them = []] = [outcomes.get(ours[v] as Peer), outcomes.get(peer)];
      return peer === bound.writes
        ? [addedRow(of, us, them), bytesRow(version, us, them)]
        : [addedRow(of, us, them)];
    }),
  );
}

function leastOf({ least }: Bound, { path }: MeasuredBpftrace): Peer | undefined {
  if (!least) return undefined;
  const { name, program } = least;
  return { name, beside: () => startProgram(path, program()) };
}

/** Runs the command alone and then with each peer, and repeats this. */
async function outcomesOf(
  bound: Bound,
  peers: readonly Peer[],
  dir: string,
): Promise<ReadonlyMap<Peer, readonly Outcome[]>> {
  const [alone = [], ...runs] = await inTurn(
    TURNS,
    [undefined, ...peers].map((peer) => () => runUnder(bound, peer, dir)),
  );
  const floor = median(alone.map((run) => run.ns));
  console.log(`${bound.measure}: ${floor.toFixed(0)} ns without any`);
  const added = (run: Outcome) => ({ ...run, ns: run.ns - floor });
  return new Map(peers.map((peer, i) => [peer, (runs[i] ?? []).map(added)]));
}

const addedRow = (
  of: Parameters<typeof rowOf>[0],
  ours: readonly Outcome[],
  theirs: readonly Outcome[],
): Result => {
  const ns = (runs: readonly Outcome[]) => runs.map((run) => run.ns);
  return rowOf(of, ns(ours), ns(theirs), (n) => `${n.toFixed(0)} ns`);
};

const bytesRow = (bpftrace: string, ours: readonly Outcome[], theirs: readonly Outcome[]): Result =>
  rowOf(
    { measure: 'bytes written for the same ping-pong', bpftrace, peer: 'perf sched record', aim: 0.01 },
    ours.map((run) => run.bytes),
    theirs.map((run) => run.bytes),
    (n) => `${(n / 1e6).toFixed(3)} MB`,
  );

const btprof = ({ path, version }: MeasuredBpftrace, options: readonly string[]): Peer => ({
  name: `btprof ${version}`,
  before: [
    join(import.meta.dirname, '../../dist/btprof.mjs'),
    ...['run', '--bpftrace', path, ...options, '--no-symbol-cache', '--json', '-o', 'out', '--'],
  ],
});

/** Prints `runs`, waits for a line, runs the command, and prints `ends`. */
const SCRIPT = 'echo runs; read _ && "$@" && echo ends';

async function runUnder(bound: Bound, peer: Peer | undefined, dir: string): Promise<Outcome> {
  const events = bound.events / (peer?.fewer ?? 1);
  const words = [...(peer?.before ?? []), 'sh', '-c', SCRIPT, 'sh', ...bound.workload(events)];
  mkdirSync(dir, { recursive: true });
  const cwd = mkdtempSync(join(dir, 'run-'));
  const child = $({ ...QUIET, stdio: ['pipe', 'pipe', 'ignore'], cwd })`exec ${words}`;
  await heard(child, 'runs');
  const tool = await peer?.beside?.();
  try {
    const ns = await timeOf(child);
    const { exitCode } = await child;
    if (exitCode !== 0) throw new Refusal(`${words.join(' ')} ended with status ${exitCode}`);
    return { ns: ns / events, bytes: sizeOf(cwd) };
  } finally {
    await tool?.kill();
    rmSync(cwd, { recursive: true });
  }
}

async function timeOf(child: ProcessPromise): Promise<number> {
  const ends = heard(child, 'ends');
  const began = performance.now();
  child.stdin.end('\n');
  return ((await ends) - began) * 1e6;
}

const sizeOf = (dir: string): number =>
  readdirSync(dir).reduce((sum, file) => sum + statSync(join(dir, file)).size, 0);
