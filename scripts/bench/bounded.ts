/**
 * Tests whether the memory of btprof stays flat while processes come and go. Runs several `btprof system` at once on a machine
 * that starts 50 short processes a second, for 20 minutes or the time in `bounded:TIME`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { $, type ProcessPromise } from 'zx';
import { tryRead } from '../../bt/driver/procfs.ts';
import type { Profile } from '../../metrics/schema.ts';
import { formatCount, formatNs, parseTimeNs } from '../../metrics/units.ts';
import { Refusal } from '../refusal.ts';
import { PAGE, withLongRows } from './benchmarks-page.ts';
import { GCC, installedBpftrace, type MeasuredBpftrace, requireCommands, SETPRIV } from './needs.ts';
import { type Row, reached, rowOf, tableOf } from './rows.ts';
import { compile, MACHINE, temporaryDirectory } from './run-tools.ts';

const DEFAULT_TIME = '20m';
const PER_SECOND = 50;
/** Growth counts from here on: before, btprof and Node fill their caches. */
const EARLY_SHARE = 1 / 4;
/** Each figure is the least in this share of the run: what is left when Node has just freed the memory that nothing uses. */
const WINDOW_SHARE = 1 / 8;
/** Memory is flat when it grows by less than either of these. */
const FLAT = { share: 0.05, bytes: 10e6 };
const SAMPLE_MS = 1000;
/** The share of the processes that each collection must count. */
const LEAST_SEEN = 0.8;
/** Time beyond the duration for the start and the result. */
const PATIENCE_MS = 120_000;

const COLLECTIONS = [
  { name: '--no-stacks', options: ['--no-stacks', '-f', 'json'] },
  { name: 'both stacks', options: ['-f', 'json'] },
  // Every print has the totals of all processes: this machine cannot print them every few seconds beside the other two.
  { name: 'both stacks, -i 60s -f jsonl', options: ['-i', '60s', '-f', 'jsonl'] },
] as const;

/** A sample of btprof's resident memory in bytes, with the time since the start in ms. */
interface Sample {
  readonly ms: number;
  readonly bytes: number;
}

/** @param time how long each collection lasts, such as `2m`. When empty, it lasts 20 minutes and the page is written. */
export async function benchBounded(time: string): Promise<boolean> {
  const ns = parseTimeNs(time || DEFAULT_TIME);
  if (ns === undefined || ns < 10e9)
    throw new Refusal(`bounded:${time} needs a time of 10 s or more, such as bounded:2m`);
  await requireCommands(GCC, SETPRIV);
  const bpftrace = await installedBpftrace();
  const dir = temporaryDirectory();
  const workload = await compile('short-lived', dir);
  const seconds = Math.ceil(ns / 1e9);
  const load = $({
    quiet: true,
    nothrow: true,
  })`exec setpriv --pdeathsig KILL -- ${workload} ${PER_SECOND} ${seconds + PATIENCE_MS / 1000}`;
  const outcomes = await Promise.all(
    COLLECTIONS.map(({ name, options }, i) => measure(bpftrace, seconds, name, options, join(dir, `${i}`))),
  );
  await load.kill('SIGKILL');
  const rows = outcomes.map(({ row }) => row);
  console.log(tableOf(rows));
  const started = PER_SECOND * seconds;
  const notes = outcomes.map((outcome) => noteOf(outcome, started));
  console.log(notes.join('\n'));
  if (time === '') writeFileSync(PAGE, withLongRows(readFileSync(PAGE, 'utf8'), rows, notes, MACHINE));
  return rows.every(reached) && outcomes.every(({ processes }) => processes >= LEAST_SEEN * started);
}

interface Outcome {
  readonly row: Row;
  /** The number of processes that btprof counted, and its warnings. */
  readonly processes: number;
  readonly warnings: readonly string[];
}

async function measure(
  { version }: MeasuredBpftrace,
  seconds: number,
  name: string,
  options: readonly string[],
  file: string,
): Promise<Outcome> {
  const child = $({
    quiet: true,
    nothrow: true,
  })`exec setpriv --pdeathsig KILL -- node dist/btprof.mjs system -q -d ${seconds}s ${options} -o ${file}`;
  const samples = await watch(child, 1000 * seconds);
  const { exitCode, stderr } = await child;
  if (exitCode !== 0)
    throw new Refusal(`btprof system ${options.join(' ')} failed with status ${exitCode}: ${stderr.trim()}`);
  const { metadata, quality } = lastProfile(file);
  const row = growthRow(version, name, 1000 * seconds, samples);
  return { row, processes: metadata.processes, warnings: quality.warnings };
}

async function watch(child: ProcessPromise, durationMs: number): Promise<Sample[]> {
  const began = performance.now();
  const samples: Sample[] = [];
  let ended = false;
  void child.finally(() => (ended = true));
  while (!ended) {
    const ms = performance.now() - began;
    if (ms > durationMs + PATIENCE_MS) {
      await child.kill('SIGKILL');
      throw new Refusal(
        `btprof was still running ${formatNs(PATIENCE_MS * 1e6)} after the end of its collection`,
      );
    }
    const bytes = ms < durationMs && residentBytes(child.pid);
    if (bytes) samples.push({ ms, bytes });
    await sleep(SAMPLE_MS);
  }
  return samples;
}

function residentBytes(pid: number | undefined): number {
  const status = tryRead(() => readFileSync(`/proc/${pid}/status`, 'utf8')) ?? '';
  return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
}

function lastProfile(file: string): Profile {
  const text = readFileSync(file, 'utf8').trimEnd();
  return JSON.parse(text.startsWith('{\n') ? text : (text.split('\n').at(-1) as string));
}

/** Flat memory proves nothing if most processes were not counted. */
function noteOf({ row, processes, warnings }: Outcome, started: number): string {
  const counted = `${formatCount(processes)} of ${formatCount(started)} processes were counted`;
  return `- ${[`${row.measure}: ${counted}`, ...warnings].join('; ')}.`;
}

function growthRow(version: string, name: string, durationMs: number, samples: readonly Sample[]): Row {
  const bytesBefore = (ms: number) => {
    const from = ms - durationMs * WINDOW_SHARE;
    return Math.min(
      ...samples.filter((sample) => sample.ms >= from && sample.ms < ms).map(({ bytes }) => bytes),
    );
  };
  const [early, late] = [bytesBefore(durationMs * EARLY_SHARE), bytesBefore(durationMs)];
  const time = (share: number) => formatNs(share * durationMs * 1e6);
  const of = {
    measure: `memory after ${time(1)}, ${name}`,
    bpftrace: version,
    peer: `the same after ${time(EARLY_SHARE)}`,
    aim: 1 + Math.max(FLAT.share, FLAT.bytes / early),
  };
  return rowOf(of, [late], [early], (bytes) => `${(bytes / 1e6).toFixed(0)} MB`);
}
