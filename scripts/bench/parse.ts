/**
 * Measures how fast a stream becomes a Profile. The stream is a recording of the workload `sleepers`, scaled to many stacks of
 * 60 frames. Each size runs in its own process on one core.
 */

import { once } from 'node:events';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { $ } from 'zx';
import { requireCommands, TASKSET } from './needs.ts';
import { type Result, readRecording } from './parse-reader.ts';
import { generator } from './random.ts';

const FRAMES = 60;
const KERNEL_FRAMES = 12;
const SIZES = [1000, 8192, 65_536];
const AIM = { mbPerSecond: 100, peakMb: 1024, growth: 1.25 };
/** The fastest run counts, because other load can only slow a run down. */
const RUNS = 12;
/** Call sites of a large program. */
const SITES = 20_000;

interface Row extends Result {
  /** Time to read the same bytes into memory and JSON.parse them. */
  readonly machineSeconds: number;
}

/** @returns whether the aims were met */
export async function benchParse(): Promise<boolean> {
  await requireCommands(TASKSET);
  const dir = mkdtempSync(join(tmpdir(), 'btprof-bench-'));
  try {
    const reader = await bundle(dir);
    const results: Row[][] = [];
    for (const version of VERSIONS) results.push(await benchVersion(version, dir, reader));
    return judge(results);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

async function benchVersion(version: Version, dir: string, reader: string): Promise<Row[]> {
  const results: Row[] = [];
  for (const stacks of SIZES) {
    const file = join(dir, `${version}-${stacks}`);
    await writeStream(version, stacks, file);
    const machine = await bestOf(3, () => parseAlone(reader, file));
    const ours = await bestOf(RUNS, () => readStream(reader, recordingOf(version), file));
    results.push({ ...ours, machineSeconds: machine.seconds });
    rmSync(file);
  }
  console.log(`\nparse: ${FRAMES} frames a stack, as bpftrace ${version} prints them`);
  console.log('  stacks       MB   seconds    MB/s   µs/stack   peak MB   JSON.parse');
  for (const r of results) {
    const cells = [r.stacks, r.mb.toFixed(1), r.seconds.toFixed(2), (r.mb / r.seconds).toFixed(0)];
    const more = [
      ((r.seconds * 1e6) / r.stacks).toFixed(1),
      r.peakMb.toFixed(0),
      (r.seconds / r.machineSeconds).toFixed(1),
    ];
    console.log(
      [...cells, ...more].map((cell, i) => String(cell).padStart([8, 9, 10, 8, 11, 10, 13][i] ?? 8)).join(''),
    );
  }
  return results;
}

/** Prints over 100 MB must reach this rate; shorter prints must not take longer. */
function judge(results: readonly Row[][]): boolean {
  const largest = results.map((sizes) => sizes.at(-1) as Row);
  const long = largest.filter((r) => r.mb > 100);
  const rate = Math.min(...long.map((r) => r.mb / r.seconds));
  const slowest = Math.max(...long.map((r) => r.seconds));
  const peak = Math.max(...largest.map((r) => r.peakMb));
  // At the smallest size, most of the time is the start of Node.
  const growth = Math.max(...results.map((sizes) => perStack(sizes.at(-1)) / perStack(sizes.at(-2))));
  const aims: [string, boolean][] = [
    [
      `${rate.toFixed(0)} MB/s of a print over 100 MB (aim: ${AIM.mbPerSecond} or more)`,
      rate >= AIM.mbPerSecond,
    ],
    ['as many stacks in a shorter print take no longer', largest.every((r) => r.seconds <= slowest)],
    [`${peak.toFixed(0)} MB of memory (aim: below ${AIM.peakMb})`, peak < AIM.peakMb],
    [
      `time a stack x ${growth.toFixed(2)} from ${SIZES.at(-2)} to ${SIZES.at(-1)} stacks (aim: ${AIM.growth} or less)`,
      growth <= AIM.growth,
    ],
  ];
  console.log(`\n${aims.map(([text, reached]) => `${reached ? 'reached' : 'MISSED '}  ${text}`).join('\n')}`);
  return aims.every(([, reached]) => reached);
}

function perStack(result: Row | undefined): number {
  return result ? result.seconds / result.stacks : NaN;
}

const VERSIONS = ['0.17', '0.23', '0.27'] as const;
type Version = (typeof VERSIONS)[number];

/** A frame of a stack, as the given version prints it. */
const FRAME = {
  '0.17': (address: string, kernel: boolean) =>
    String.raw`\t${address} ${kernel ? 'schedule+35' : `0x${address} ([unknown])`}\n`,
  '0.23': (address: string) => String.raw`${address}\\n`,
  '0.27': (address: string) => String.raw`${address}\n`,
};
const NEWLINE = { '0.17': String.raw`\n`, '0.23': String.raw`\\n`, '0.27': String.raw`\n` };
/** The first id of a kernel stack and of a user stack. */
const [KERNEL_NUMBERS, USER_NUMBERS] = [2 ** 48, 2 ** 48 + 2 ** 32];

/** Writes the lines of the recording, but with waits in this many different stacks. */
async function writeStream(version: Version, stacks: number, file: string): Promise<void> {
  const out = createWriteStream(file);
  const maps = mapsOf(version, generator(stacks));
  for (const line of readRecording(recordingOf(version)).lines) {
    const [, head = '', name = ''] = /^(\{"type": "\w+", "data": \{"(@\w+)": \{)/.exec(line) ?? [];
    const entry = maps[name];
    if (!entry) {
      out.write(`${line}\n`);
      continue;
    }
    out.write(head);
    for (let i = 0; i < stacks; i++) if (!out.write(`${i ? ', ' : ''}${entry(i)}`)) await once(out, 'drain');
    out.write('}}}\n');
  }
  out.end();
  await once(out, 'close');
}

/** Prints the i-th entry of each map that has stacks or stack ids. */
function mapsOf(version: Version, random: () => number): Record<string, (i: number) => string> {
  const site = (kernel: boolean) =>
    kernel
      ? (0xffffffff81000000n + BigInt(Math.floor(random() * 4096)) * 64n).toString(16)
      : (0x7f0000001000 + Math.floor(random() * SITES) * 16).toString(16);
  const stack = (length: number, kernel: boolean) =>
    NEWLINE[version] + Array.from({ length }, () => FRAME[version](site(kernel), kernel)).join('');
  const [kernel, user] = [() => stack(KERNEL_FRAMES, true), () => stack(FRAMES - KERNEL_FRAMES, false)];
  const wait = (stacks: string) => `"4711,4711,1,1,${stacks}": {"count": 3, "average": 1000, "total": 3000}`;
  if (version !== '0.27') return { '@waits': () => wait(`${kernel()},${user()}`) };
  return {
    '@waits': (i) => wait(`${KERNEL_NUMBERS + i},${USER_NUMBERS + i}`),
    '@kernel_stacks': (i) => `"${KERNEL_NUMBERS + i}": "${kernel()}"`,
    '@user_stacks': (i) => `"${USER_NUMBERS + i}": "${user()}"`,
  };
}

function recordingOf(version: Version): string {
  return fileURLToPath(new URL(`../../fixtures/recordings/${version}/sleepers.json.gz`, import.meta.url));
}

/** Bundles our code as it is shipped. */
async function bundle(dir: string): Promise<string> {
  const outfile = join(dir, 'reader.mjs');
  const banner =
    "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
  await build({
    entryPoints: [fileURLToPath(new URL('parse-reader.ts', import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: { js: banner },
  });
  return outfile;
}

async function bestOf<T extends { seconds: number }>(runs: number, run: () => Promise<T>): Promise<T> {
  let best = await run();
  for (let i = 1; i < runs; i++) {
    const next = await run();
    if (next.seconds < best.seconds) best = next;
  }
  return best;
}

/** A separate process, which may use other cores like bpftrace, provides the stream. */
async function readStream(reader: string, recording: string, file: string): Promise<Result> {
  const { stdout } = await $({ quiet: true })`cat ${file} | taskset -c 0 node ${reader} ${recording} ${file}`;
  return JSON.parse(stdout);
}

async function parseAlone(reader: string, file: string): Promise<{ seconds: number }> {
  const { stdout } = await $({ quiet: true })`taskset -c 0 node ${reader} machine ${file}`;
  return JSON.parse(stdout);
}
