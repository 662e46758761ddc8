/**
 * Measures how soon a command runs under btprof, how soon the result follows the end of the command, and how much memory that
 * takes. Compares with bare bpftrace, which runs the same program on the same workload of 1,009 stacks, and with other tools.
 * Compares `--help` with Node itself. All run in turn.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { $, type ProcessPromise } from 'zx';
import { peakOf } from '../../bt/driver/footprint.ts';
import { childrenOf } from '../../bt/driver/procfs.ts';
import { Refusal } from '../refusal.ts';
import { ourProgram } from './compared-programs.ts';
import type { MeasuredBpftrace } from './needs.ts';
import { inTurn, type Result, rowOf } from './rows.ts';
import { commandOf, heard, hold, obstacleTo, pidOf, QUIET, signal, spawnTool } from './run-tools.ts';

const BTPROF = 'dist/btprof.mjs';
const STACKS = 1009;
const TURNS = 7;
/** Aims, as ratios. */
const AIM = { help: 1.5, armed: 1.3, end: 1.5 };
/** Time for bpftrace to go to sleep: it misses an interrupt that comes just before that. */
const IDLE_MS = 100;
/** After this time without output it has missed the interrupt all the same, and gets another one. */
const AGAIN_MS = 5000;
/** Subtracted from the times at the end. */
const END_MS = 100;

/** Times in milliseconds and memory in bytes. */
interface Times {
  /** Time from the start until the command runs. */
  readonly armed: number;
  /** Time from the end of the command to the last line of the result. */
  readonly end: number;
  /** Peak of resident memory over all processes of the tool. */
  readonly memory: number;
}

/** @param workload fixtures/workloads/many-stacks.c */
export async function benchStart(versions: readonly MeasuredBpftrace[], workload: string): Promise<Result[]> {
  const rows = await benchHelp();
  for (const bpftrace of versions) rows.push(...(await benchVersion(bpftrace, workload)));
  return rows;
}

const ms = (n: number) => `${n.toFixed(0)} ms`;
const mb = (n: number) => `${(n / 1e6).toFixed(0)} MB`;

async function benchHelp(): Promise<Result[]> {
  const wall = async (...args: string[]) => {
    const began = performance.now();
    await $({ quiet: true })`exec node ${args}`;
    return performance.now() - began;
  };
  const [node = [], help = [], version = []] = await inTurn(3 * TURNS, [
    () => wall('-e', '0'),
    () => wall(BTPROF, '--help'),
    () => wall(BTPROF, '--version'),
  ]);
  const row = (measure: string, ours: readonly number[]) =>
    rowOf({ measure, bpftrace: null, peer: 'node -e 0', aim: AIM.help }, ours, node, ms);
  return [row('btprof --help', help), row('btprof --version', version)];
}

/** Other tools that start a command, or print a line once they trace. */
const PEERS = [
  {
    name: 'perf trace -s',
    trial: ['perf', 'trace', '-s', '--', 'true'],
    package: 'linux-perf',
    times: perfTimes,
  },
  {
    name: 'offcputime-bpfcc',
    trial: ['offcputime-bpfcc', '1'],
    package: 'bpfcc-tools',
    times: bccTimes,
  },
] as const;

async function benchVersion(bpftrace: MeasuredBpftrace, workload: string): Promise<Result[]> {
  const { version } = bpftrace;
  const obstacles = new Map<string, string | undefined>();
  for (const peer of PEERS) obstacles.set(peer.name, await obstacleTo(peer));
  const peers = PEERS.filter(({ name }) => obstacles.get(name) === undefined);
  const [ours = [], bare = [], ...others] = await inTurn(TURNS, [
    () => btprofTimes(bpftrace, workload),
    () => bareTimes(bpftrace, workload),
    ...peers.map(
      ({ times }) =>
        () =>
          times(workload),
    ),
  ]);
  const rows = (peer: string, theirs: readonly Times[], aim: Partial<typeof AIM>): Result[] => {
    const of = (runs: readonly Times[], key: keyof Times, less = 0) =>
      runs.map((run) => Math.max(1, run[key] - less));
    const row = (measure: string, key: keyof Times, show = ms, aim?: number, less = 0) =>
      rowOf({ measure, bpftrace: version, peer, aim }, of(ours, key, less), of(theirs, key), show);
    return [
      row('until the command runs', 'armed', ms, aim.armed),
      row(`from its end until the result, less ${END_MS} ms`, 'end', ms, aim.end, END_MS),
      row('peak memory of all processes', 'memory', mb),
    ];
  };
  return [
    ...rows('bare bpftrace, the same program', bare, AIM),
    ...PEERS.flatMap((peer): Result[] => {
      const reason = obstacles.get(peer.name);
      if (reason === undefined) return rows(peer.name, others[peers.indexOf(peer)] ?? [], {});
      return [{ measure: 'until the command runs', bpftrace: version, peer: peer.name, reason }];
    }),
  ];
}

/** The command prints its marks on stdout; the result follows there after the command has ended. */
async function btprofTimes({ path }: MeasuredBpftrace, workload: string): Promise<Times> {
  const words = ['run', '--bpftrace', path, '--no-symbol-cache', '--json', '--'];
  const { text, ...times } = await wrappedTimes('node', [BTPROF, ...words], workload);
  requireStacks(JSON.parse(text.slice(text.indexOf('{'))).ebpf.offcpu.stacks.length);
  return times;
}

async function perfTimes(workload: string): Promise<Times> {
  const { text, ...times } = await wrappedTimes('perf', ['trace', '-s', '--'], workload);
  if (!text.includes('Summary of events')) throw new Refusal(`perf trace said: ${text}`);
  return times;
}

/** Measures a tool that starts the command and prints its result to standard output or error. */
async function wrappedTimes(command: string, args: readonly string[], workload: string) {
  const script = 'echo runs; "$0"; echo ends';
  const began = performance.now();
  const child = $({
    ...QUIET,
    stdio: ['ignore', 'pipe', 'pipe'],
  })`exec ${command} ${args} sh -c ${script} ${workload}`;
  let [runs, ends, last, memory, text] = [0, 0, 0, 0, ''];
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      last = performance.now();
      memory = Math.max(memory, peakOfTool(pidOf(child)));
      text += chunk;
      runs ||= text.includes('runs\n') ? last : 0;
      ends ||= text.includes('ends\n') ? last : 0;
    });
  await child;
  return { armed: runs - began, end: last - ends, memory, text };
}

/** Adds up the process and those of its children that belong to the tool. */
function peakOfTool(pid: number): number {
  const own = childrenOf(pid).filter((child) => /bpftrace|bpf-stats/.test(commandOf(child)));
  return [pid, ...own].reduce((sum, process) => sum + peakOf(process), 0);
}

/** The program follows a held process from its exec. */
async function bareTimes({ path }: MeasuredBpftrace, workload: string): Promise<Times> {
  const target = hold([workload]);
  const { program, environment } = await ourProgram(path, target.pid, ['offcpu', 'syscalls']);
  const start = () =>
    spawnTool(path, ['-f', 'json', '-e', program], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, ...environment },
    });
  const { text, ...times } = await besideTimes(start, '"ready"', target.run);
  requireStacks(text.match(/"average": ?\d+/g)?.length ?? 0);
  return times;
}

/** The tool traces the whole machine. */
async function bccTimes(workload: string): Promise<Times> {
  const start = () =>
    spawnTool('offcputime-bpfcc', ['-f'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, PYTHONUNBUFFERED: '1' },
    });
  const { text, ...times } = await besideTimes(start, 'Tracing off-CPU time', async () => {
    await $({ quiet: true })`exec ${workload}`;
  });
  if (!text.includes('many-stacks')) throw new Refusal('offcputime-bpfcc did not see the workload');
  return times;
}

/** Measures a tool that traces until Ctrl-C. */
async function besideTimes(start: () => ProcessPromise, ready: string, perform: () => Promise<void>) {
  const began = performance.now();
  const child = start();
  let [text, last] = ['', 0];
  let again: NodeJS.Timeout | undefined;
  child.stdout.on('data', (chunk: Buffer) => {
    last = performance.now();
    text += chunk;
  });
  try {
    const armed = (await heard(child, ready)) - began;
    await perform();
    await sleep(IDLE_MS);
    const ended = performance.now();
    const memory = peakOf(pidOf(child));
    signal(child, 'SIGINT');
    again = setInterval(() => {
      if (last < ended) signal(child, 'SIGINT');
    }, AGAIN_MS);
    await child;
    return { armed, end: last - ended, memory, text };
  } finally {
    clearInterval(again);
    signal(child, 'SIGKILL');
  }
}

/** Allows for the few stacks that bpftrace 0.17 loses when their hashes collide. */
function requireStacks(found: number): void {
  if (found < 0.95 * STACKS)
    throw new Refusal(`${found} stacks instead of ${STACKS}: the workload was not followed`);
}
