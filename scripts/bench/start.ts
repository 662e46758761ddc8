/**
 * How soon a command runs under btprof, and how soon the result is there when it has ended, beside the bare bpftrace with
 * the same program on the same workload, of 1,009 stacks; and what `--help` takes beside Node itself. Runs in turn.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { composeMaps, composeProgram, type Plan } from '../../bt/compose.ts';
import { requireHost } from '../../bt/driver/host.ts';
import { limitsFor } from '../../bt/limits.ts';
import { DEFAULT_PROFILERS } from '../../bt/profilers/names.ts';
import { selectProfilers } from '../../bt/profilers/registry.ts';
import { type Bpftrace, prepareVersions } from '../versions.ts';

const BTPROF = 'dist/btprof.mjs';
const STACKS = 1009;
const RUNS = 7;
/** Ratios, and for the end a time besides. */
const AIM = { help: 1.5, armed: 1.3, end: 1.5, endMs: 100 };

/** Milliseconds. */
interface Times {
  /** From the start to the command running. */
  readonly armed: number;
  /** From the command's end to the last line of the result. */
  readonly end: number;
}

/** @returns whether the aims were reached */
export async function benchStart(): Promise<boolean> {
  const dir = mkdtempSync(join(tmpdir(), 'btprof-bench-'));
  try {
    const aims = [await benchHelp()];
    const workload = join(dir, 'many-stacks');
    await execa('gcc', [
      '-O0',
      '-fno-omit-frame-pointer',
      '-o',
      workload,
      'fixtures/workloads/many-stacks.c',
    ]);
    for (const bpftrace of await prepareVersions()) aims.push(await benchVersion(bpftrace, workload));
    return aims.every((reached) => reached);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

async function benchHelp(): Promise<boolean> {
  const wall = async (...args: string[]) => {
    const began = performance.now();
    await execa('node', args);
    return performance.now() - began;
  };
  const [node, help, version] = await inTurn(3 * RUNS, [
    () => wall('-e', '0'),
    () => wall(BTPROF, '--help'),
    () => wall(BTPROF, '--version'),
  ]);
  console.log('\nstart: medians of runs in turn');
  const reached = [
    judge('btprof --help, of node -e 0', median(help) / median(node), AIM.help),
    judge('btprof --version, of node -e 0', median(version) / median(node), AIM.help),
  ];
  return reached.every((r) => r);
}

async function benchVersion(bpftrace: Bpftrace, workload: string): Promise<boolean> {
  const [bare, ours] = await inTurn(RUNS, [
    () => bareTimes(bpftrace, workload),
    () => btprofTimes(bpftrace, workload),
  ]);
  const of = (times: readonly Times[], key: keyof Times) => median(times.map((t) => t[key]));
  const [armed, end] = [of(ours, 'armed'), of(ours, 'end')];
  const [bareArmed, bareEnd] = [of(bare, 'armed'), of(bare, 'end')];
  const ms = (n: number) => `${n.toFixed(0)} ms`;
  console.log(`\nbpftrace ${bpftrace.version}: btprof beside bare bpftrace with the same program`);
  console.log(`  to the command running  ${ms(armed)} beside ${ms(bareArmed)}`);
  console.log(`  from its end to the result of ${STACKS} stacks  ${ms(end)} beside ${ms(bareEnd)}`);
  const reached = [
    judge('to the command running', armed / bareArmed, AIM.armed),
    judge('to the result, less 100 ms', Math.max(0, end - AIM.endMs) / bareEnd, AIM.end),
  ];
  return reached.every((r) => r);
}

function judge(what: string, ratio: number, aim: number): boolean {
  const reached = ratio <= aim;
  console.log(`${reached ? 'reached' : 'MISSED '}  ${what}: ${ratio.toFixed(2)} times (aim: ${aim} or less)`);
  return reached;
}

/** Each of them once, then each of them again: what the machine does besides is the same for all. */
async function inTurn<T>(runs: number, measures: readonly (() => Promise<T>)[]): Promise<[T[], T[], T[]]> {
  const results: [T[], T[], T[]] = [[], [], []];
  for (let run = 0; run < runs; run++)
    for (const [i, measure] of measures.entries()) results[i]?.push(await measure());
  return results;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;
}

/** What is measured stands on the command's own stdout, where the result follows once it has ended. */
async function btprofTimes({ path }: Bpftrace, workload: string): Promise<Times> {
  const script = 'echo runs; "$0"; echo ends';
  const began = performance.now();
  const child = spawn(
    'node',
    [BTPROF, 'run', '--bpftrace', path, '--no-symbol-cache', '--json', '--', 'sh', '-c', script, workload],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let [runs, ends, last, text] = [0, 0, 0, ''];
  child.stdout.on('data', (chunk: Buffer) => {
    last = performance.now();
    text += chunk;
    runs ||= text.includes('runs\n') ? last : 0;
    ends ||= text.includes('\nends\n') ? last : 0;
  });
  await once(child, 'close');
  requireStacks(JSON.parse(text.slice(text.indexOf('{'))).ebpf.offcpu.stacks.length);
  return { armed: runs - began, end: last - ends };
}

/** The program follows a shell that waits for a line, from its exec on. */
async function bareTimes({ path }: Bpftrace, workload: string): Promise<Times> {
  const target = spawn('sh', ['-c', 'read _; exec "$0"', workload], { stdio: ['pipe', 'ignore', 'inherit'] });
  const { program, environment } = await bareProgram(path, target.pid as number);
  const began = performance.now();
  const child = spawn(path, ['-f', 'json', '-e', program], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, ...environment },
    detached: true,
  });
  let [ready, text] = [0, ''];
  const live = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk;
      if (ready > 0 || !text.includes('"ready"')) return;
      ready = performance.now();
      resolve();
    });
  });
  const closed = once(child, 'close');
  await Promise.race([live, closed.then(() => Promise.reject(new Error(`${path} ended: ${text}`)))]);
  target.stdin?.end('\n');
  await once(target, 'close');
  const ended = performance.now();
  process.kill(-(child.pid as number), 'SIGINT');
  await closed;
  requireStacks(text.match(/"average": ?\d+/g)?.length ?? 0);
  return { armed: ready - began, end: performance.now() - ended };
}

/** 0.17 loses a few whose hashes are alike. */
function requireStacks(found: number): void {
  if (found < 0.95 * STACKS)
    throw new Error(`${found} stacks and not ${STACKS}: the workload was not followed`);
}

/** As `btprof run` has it, but for what only the profiler can tell it. */
async function bareProgram(path: string, pid: number) {
  const { host, dialect } = await requireHost(path);
  const follow = { kind: 'held', pid, execs: 1, children: true } as const;
  const context = { dialect, arch: host.info.arch, btf: host.btf, follow };
  const plan: Plan = {
    profilers: selectProfilers(DEFAULT_PROFILERS),
    minBlockNs: 0,
    stacks: true,
    stackDepth: 127,
    children: true,
  };
  const limits = limitsFor({
    maps: composeMaps(plan, context),
    stackStore: dialect.stackStore,
    statsSlots: dialect.statsSlots,
    stackDepth: plan.stackDepth,
    memoryBytes: totalmem(),
    cpus: host.possibleCpus,
    threads: 0,
  });
  return { program: composeProgram(plan, context), environment: dialect.environment(limits) };
}
