import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { execa, type Options } from 'execa';
import { expect, inject } from 'vitest';
import type { Offcpu } from '../../bt/profilers/offcpu/off-schema.ts';
// Importing a profiler adds the type of its part to Profile.ebpf.
import type {} from '../../bt/profilers/profiler-registry.ts';
import type { Syscalls } from '../../bt/profilers/syscalls/sys-schema.ts';
import type { Profile } from '../../metrics/schema.ts';
import { until, untilAsleep, untilPrints } from '../fake/processes.ts';

/** The command as shipped. */
export const BTPROF = resolve('dist/btprof.mjs');

/** Path of a built workload. */
export function workload(name: string): string {
  return join(inject('workloads'), name);
}

/** Tests whether `int $0x80` works. Kernels may be built without it, and some hypervisors do not pass it on. */
export async function refuses32BitCalls(): Promise<boolean> {
  const { signal } = await execa(workload('compat'), { reject: false });
  return signal === 'SIGSEGV';
}

export interface Outcome {
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs btprof to its end. */
export async function btprof(args: readonly string[], options: Options = {}): Promise<Outcome> {
  const done = await execa(BTPROF, args, { reject: false, stripFinalNewline: false, ...options });
  return { status: done.exitCode, stdout: String(done.stdout ?? ''), stderr: String(done.stderr ?? '') };
}

/** Runs btprof with --json into a file and returns the validated content. The command must succeed. */
export async function profile(args: readonly string[], options: Options = {}): Promise<Profile> {
  const [command = '', ...rest] = args;
  const file = temporaryFile('profile.json');
  const { status, stderr } = await btprof([command, '--json', '--quiet', '-o', file, ...rest], options);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return validProfile(readFileSync(file, 'utf8'));
}

/** A deadlock that Ctrl-C does not end. It prints its process ID first. */
const IGNORING_DEADLOCK = 'trap "" INT; echo $$; exec "$0"';

/** Profiles a deadlock until all three threads wait, and then stops the collection. */
export async function profileOfDeadlock(...options: string[]) {
  const file = temporaryFile('deadlock.json');
  const args = ['run', '--json', '--quiet', '-o', file, ...options];
  const command = ['--', 'sh', '-c', IGNORING_DEADLOCK, workload('deadlock')];
  const running = execa(BTPROF, [...args, ...command], { reject: false });
  const pid = Number(await untilPrints(running.stdout, '\n'));
  await untilAsleep(pid, 3);
  const asleep = performance.now();
  await sleep(100);
  const leastWaitNs = (performance.now() - asleep) * 1e6;
  running.kill('SIGINT');
  await until(() => existsSync(file));
  process.kill(pid, 'SIGTERM');
  const { exitCode } = await running;
  return { profile: validProfile(readFileSync(file, 'utf8')), leastWaitNs, status: exitCode };
}

/** A path in its own directory that does not exist yet. */
export function temporaryFile(name: string): string {
  return join(mkdtempSync(join(inject('workloads'), 'tmp-')), name);
}

/** Quotes a word for a shell. */
export function quote(path: string): string {
  return `'${path}'`;
}

/** A stand-in for `--bpftrace` that does something before the real one runs, or instead of it. */
export function bpftraceThat(script: string): string {
  const file = temporaryFile('bpftrace');
  writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return file;
}

const ajv = new Ajv2020({ strict: false });
const validateSchema = ajv.compile(JSON.parse(readFileSync('docs/schema.json', 'utf8')));

/** Checks a document against the committed JSON Schema. */
export function valid<T>(text: string): T {
  const value = JSON.parse(text);
  validateSchema(value);
  expect(validateSchema.errors ?? []).toEqual([]);
  return value;
}

/** Checks a profile against the schema and against the sums that hold for every profile. */
export function validProfile(text: string): Profile {
  const result = valid<Profile>(text);
  expect(result.kind).toBe('profile');
  expect(result.quality).toMatchObject({ lost_events: 0, dropped_lines: 0, map_full: 0 });
  if (result.ebpf.offcpu) expectOffcpuSums(result.ebpf.offcpu);
  if (result.ebpf.syscalls) expectSyscallSums(result.ebpf.syscalls);
  return result;
}

function expectOffcpuSums(offcpu: Offcpu): void {
  const threads = Object.values(offcpu.thread_stats);
  expect(sum(threads.map((t) => t.total_time_ns))).toBe(offcpu.total_time_ns);
  expect(sum(offcpu.stacks.map((s) => s.time_ns))).toBe(offcpu.total_time_ns);
  expect(sum(threads.map((t) => t.count))).toBe(offcpu.total_events);
  expect(sum(offcpu.stacks.map((s) => s.count))).toBe(offcpu.total_events);
  for (const thread of threads) {
    if (thread.lifetime_ns !== null) expect(thread.total_time_ns).toBeLessThanOrEqual(thread.lifetime_ns);
    expect(thread.min_time_ns).toBeLessThanOrEqual(thread.avg_time_ns);
    expect(thread.avg_time_ns).toBeLessThanOrEqual(thread.max_time_ns);
    expect(thread.max_time_ns).toBeLessThanOrEqual(thread.total_time_ns);
  }
}

function expectSyscallSums(syscalls: Syscalls): void {
  const counts = Object.values(syscalls.by_syscall).map((call) => call.count);
  expect(sum(counts)).toBe(syscalls.total);
  expect(sum(Object.values(syscalls.by_category) as number[])).toBe(syscalls.total);
  expect(sum(Object.values(syscalls.by_process).map((process) => process.total))).toBe(syscalls.total);
}

/** The share of all threads' time that may be unaccounted. */
const UNACCOUNTED = 0.01;

export function expectAllAccounted(account: Profile['account']): void {
  const { unaccounted_ns = Infinity, thread_time_ns = 0 } = account ?? {};
  expect(Math.abs(unaccounted_ns)).toBeLessThan(UNACCOUNTED * thread_time_ns);
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

/** Counts of a system call metric by name. */
export function countsOf(syscalls: Syscalls | undefined): Record<string, number> {
  return Object.fromEntries(
    Object.entries(syscalls?.by_syscall ?? {}).map(([name, { count }]) => [name, count]),
  );
}

/** Kernel or user symbols of a stack, leaf first. */
export function symbols(
  offcpu: Offcpu | undefined,
  indices: readonly number[] | undefined,
): (string | null)[] {
  return (indices ?? []).map((index) => offcpu?.frames[index]?.symbol ?? null);
}
