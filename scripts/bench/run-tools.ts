import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { which } from 'zx';
import { fdInfos, tryRead } from '../../bt/driver/procfs.ts';
import { Refusal } from '../refusal.ts';
import type { Program } from './compared-programs.ts';

export const MACHINE = `${cpus()[0]?.model.trim()}, ${cpus().length} CPUs, Linux ${release()}`;

/** What the kernel counts of one BPF program. */
export interface Runs {
  readonly count: number;
  readonly ns: number;
}

/** The programs that a process holds, by their number. */
export function programsOf(pid: number): Map<string, Runs> {
  const number = (info: string, key: string) => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(info)?.[1]);
  const runs = fdInfos(pid)
    .filter((info) => info.includes('prog_id:') && info.includes('run_cnt:'))
    .map((info): [string, Runs] => [
      /^prog_id:\s+(\d+)/m.exec(info)?.[1] ?? '',
      { count: number(info, 'run_cnt'), ns: number(info, 'run_time_ns') },
    ]);
  return new Map(runs);
}

export const commandOf = (pid: number): string =>
  tryRead(() => readFileSync(`/proc/${pid}/comm`, 'utf8')) ?? '';

/** Another tool. */
export interface Installed {
  /** Of Debian. */
  readonly package: string;
  /** A short run that shows whether it can run here. */
  readonly trial: readonly string[];
}

/** Why one cannot run here; undefined when it can. */
export async function obstacleTo({ package: name, trial }: Installed): Promise<string | undefined> {
  const [command = '', ...args] = trial;
  if (!(await which(command, { nothrow: true }))) return `it is not installed (apt-get install ${name})`;
  const { failed, stderr } = await execa(command, args, { reject: false, stdout: 'ignore' });
  const lines = stderr.split('\n').filter((line) => line.trim());
  return failed ? (lines.find((line) => /^unable/i.test(line)) ?? lines.at(-1) ?? 'it failed') : undefined;
}

/** A process that collects until it is killed. */
export interface Tool {
  readonly pid: number;
  readonly kill: () => Promise<void>;
}

/** Starts a process that the kernel ends with us, however we end: what traces on would be measured, too. */
export function spawnTool(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  return spawn('setpriv', ['--pdeathsig', 'KILL', '--', command, ...args], options);
}

/** Starts a bpftrace on a program whose first word is `ready`, and waits for that. */
export async function startProgram(path: string, { program, environment }: Program): Promise<Tool> {
  const child = spawnTool(path, ['-f', 'json', '-e', program], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, ...environment },
  });
  await heard(child, 'ready');
  return toolOf(child);
}

/** Starts a tool built on libbpf and waits until its programs are attached: each is a link then. */
export async function startAttached(command: string, args: readonly string[]): Promise<Tool> {
  const child = spawnTool(command, args, { stdio: 'ignore' });
  const isAttached = () => fdInfos(child.pid as number).some((info) => info.includes('link_type:'));
  while (!isAttached() && !hasEnded(child)) await sleep(20);
  if (hasEnded(child)) throw new Refusal(`${command} ended: ${child.signalCode ?? child.exitCode}`);
  await sleep(200);
  return toolOf(child);
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess) => exitCode !== null || signalCode !== null;

function toolOf(child: ChildProcess): Tool {
  const kill = async () => {
    if (hasEnded(child)) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  return { pid: child.pid as number, kill };
}

/** BPF programs that trace (enum bpf_prog_type): kprobe, tracepoint, perf_event, raw_tracepoint, tracing. */
const TRACES = /^prog_type:\s+(2|5|7|17|26)$/m;

/** @throws Refusal when another process traces, because it would be measured too */
export function requireQuiet(): void {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const tracers = pids.map(Number).filter((pid) => fdInfos(pid).some((info) => TRACES.test(info)));
  if (tracers.length === 0) return;
  const names = tracers.map((pid) => `${pid} (${commandOf(pid).trim()})`);
  throw new Refusal(
    `other tracers are running and would be measured too. End them first: ${names.join(', ')}`,
  );
}

/** Resolves when a process has written a text; with the time. */
export function heard(child: ChildProcess, text: string): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = '';
    const hear = (chunk: Buffer) => {
      said += chunk;
      if (!said.includes(text)) return;
      resolve(performance.now());
      child.stdout?.off('data', hear); // the rest is not kept
      child.stdout?.resume();
    };
    child.stdout?.on('data', hear);
    child.once('error', reject);
    child.once('close', () =>
      reject(new Refusal(`${child.spawnargs.join(' ').slice(0, 200)} ended: ${said}`)),
    );
  });
}

/** A process that becomes a command when it is let go. */
export function hold(command: readonly string[]) {
  const child = spawn('sh', ['-c', 'read _ && exec "$@"', 'sh', ...command], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const run = async () => {
    const exited = once(child, 'exit');
    child.stdin?.end('\n');
    const [code] = await exited;
    if (code !== 0) throw new Refusal(`${command.join(' ')} ended with status ${code}`);
  };
  return { pid: child.pid as number, run };
}

/** Builds a program of fixtures/workloads into a directory; returns its path. */
export async function compile(name: string, dir: string): Promise<string> {
  const file = join(dir, name);
  await execa('gcc', ['-O0', '-fno-omit-frame-pointer', '-o', file, `fixtures/workloads/${name}.c`]);
  return file;
}

/** A directory that is gone when we exit. */
export function temporaryDirectory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'btprof-bench-'));
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
