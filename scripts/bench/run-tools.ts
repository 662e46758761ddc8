import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { $, type Options, type ProcessPromise, which } from 'zx';
import { fdInfos, tryRead } from '../../bt/driver/procfs.ts';
import { Refusal } from '../refusal.ts';
import type { Program } from './compared-programs.ts';

export const MACHINE = `${cpus()[0]?.model.trim()}, ${cpus().length} CPUs, Linux ${release()}`;

/** Figures that the kernel counts for one BPF program. */
export interface Runs {
  readonly count: number;
  readonly ns: number;
}

/** Reads the BPF programs that a process holds, by id. */
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
  /** Its package in Debian. */
  readonly package: string;
  /** A short run that shows whether the tool works on this machine. */
  readonly trial: readonly string[];
}

/** Why a tool cannot run here; undefined when it can. */
export async function obstacleTo({ package: name, trial }: Installed): Promise<string | undefined> {
  if (!(await which(trial[0] ?? '', { nothrow: true })))
    return `it is not installed (apt-get install ${name})`;
  const { ok, stderr } = await $({ ...QUIET, stdio: ['ignore', 'ignore', 'pipe'] })`${trial}`;
  const lines = stderr.split('\n').filter((line) => line.trim());
  return ok ? undefined : (lines.find((line) => /^unable/i.test(line)) ?? lines.at(-1) ?? 'it failed');
}

/** Options for commands whose output and failure we handle ourselves. */
export const QUIET = { quiet: true, nothrow: true } as const;

/** A process that collects until it is killed. */
export interface Tool {
  readonly pid: number;
  readonly kill: () => Promise<void>;
}

/**
 * Starts a process that the kernel kills when we end, however that happens: a leftover tracer would be measured too. The pid is
 * that of the tool, because the shell and setpriv replace themselves.
 */
export function spawnTool(
  command: string,
  args: readonly string[],
  options: Partial<Options>,
): ProcessPromise {
  return $({ ...QUIET, ...options })`exec setpriv --pdeathsig KILL -- ${command} ${args}`;
}

/** Starts a bpftrace with a program that prints `ready` first, and waits for that. */
export async function startProgram(path: string, { program, environment }: Program): Promise<Tool> {
  const child = spawnTool(path, ['-f', 'json', '-e', program], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, ...environment },
  });
  await heard(child, 'ready');
  return toolOf(child);
}

/** Starts a tool built on libbpf and waits until its programs are attached, which is visible as BPF links. */
export async function startAttached(command: string, args: readonly string[]): Promise<Tool> {
  const child = spawnTool(command, args, { stdio: 'ignore' });
  const isAttached = () => fdInfos(pidOf(child)).some((info) => info.includes('link_type:'));
  while (!isAttached() && isRunning(child)) await sleep(20);
  if (!isRunning(child)) {
    const { signal, exitCode } = await child;
    throw new Refusal(`${command} ended: ${signal ?? exitCode}`);
  }
  await sleep(200);
  return toolOf(child);
}

export function isRunning({ child }: ProcessPromise): boolean {
  return child?.exitCode === null && child.signalCode === null;
}

export function pidOf({ pid }: ProcessPromise): number {
  return pid as number;
}

/** Sends a signal to this process only, and immediately: zx would first look for its children. */
export function signal(child: ProcessPromise, name: NodeJS.Signals): void {
  child.child?.kill(name);
}

function toolOf(child: ProcessPromise): Tool {
  const kill = async () => {
    signal(child, 'SIGKILL');
    await child;
  };
  return { pid: pidOf(child), kill };
}

/** BPF programs that trace (enum bpf_prog_type): kprobe, tracepoint, perf_event, raw_tracepoint, tracing. */
const TRACES = /^prog_type:\s+(2|5|7|17|26)$/m;

/** @throws Refusal if another process is tracing, because it would be measured too */
export function requireQuiet(): void {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const tracers = pids.map(Number).filter((pid) => fdInfos(pid).some((info) => TRACES.test(info)));
  if (tracers.length === 0) return;
  const names = tracers.map((pid) => `${pid} (${commandOf(pid).trim()})`);
  throw new Refusal(
    `other tracers are running and would be measured too. End them first: ${names.join(', ')}`,
  );
}

/** Waits until a process has printed a text. Returns the time when it did. */
export function heard(child: ProcessPromise, text: string): Promise<number> {
  return new Promise((resolve, reject) => {
    let printed = '';
    const onData = (chunk: Buffer) => {
      printed += chunk;
      if (!printed.includes(text)) return;
      resolve(performance.now());
      child.stdout.off('data', onData);
    };
    child.stdout.on('data', onData);
    void child.then(() => reject(new Refusal(`${child.cmd.slice(0, 200)} ended, and printed: ${printed}`)));
  });
}

/** A process that waits until `run` is called, and then becomes the command. */
export function hold(command: readonly string[]) {
  const child = $({ ...QUIET, stdio: ['pipe', 'ignore', 'inherit'] })`read _ && exec ${command}`;
  const run = async () => {
    child.stdin.end('\n');
    const { exitCode } = await child;
    if (exitCode !== 0) throw new Refusal(`${command.join(' ')} ended with status ${exitCode}`);
  };
  return { pid: pidOf(child), run };
}

/** Builds a program from fixtures/workloads into a directory and returns its path. */
export async function compile(name: string, dir: string): Promise<string> {
  const file = join(dir, name);
  await $({ quiet: true })`gcc -O0 -fno-omit-frame-pointer -o ${file} fixtures/workloads/${name}.c`;
  return file;
}

/** Makes a directory that is removed when we exit. */
export function temporaryDirectory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'btprof-bench-'));
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
