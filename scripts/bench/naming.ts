/** Measures how long it takes to name functions, cold and warm, and how long addr2line takes. Counts the names that agree. */
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { $ } from 'zx';
import { findDebugFile } from '../../bt/symbols/debug-files.ts';
import { parseSourceLines } from '../../parsers/addr2line.ts';
import { readElf } from '../../parsers/elf.ts';
import { Refusal } from '../refusal.ts';
import { benchNames } from './gone-processes.ts';
import type { Answer, Question } from './naming-reader.ts';
import { ADDR2LINE, GCC, requireCommands, TASKSET } from './needs.ts';

const LIBRARIES = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;
const OBJECTS = 50;
const ADDRESSES = 10_000;
const FUNCTIONS = 20_000;
const DATA_MB = 100;
const RUNS = 3;
const AIM = { warmMs: 300, tenfold: 12, large: 1.2 };
/** The number of addresses for which addr2line is started once each, which is slow. */
const ONE_BY_ONE = 100;

/** @returns whether the aims were met */
export async function benchSymbols(): Promise<boolean> {
  await requireCommands(ADDR2LINE, GCC, TASKSET);
  const dir = mkdtempSync(join(tmpdir(), 'btprof-bench-'));
  try {
    const ask = await reader(dir);
    const fast = await benchTimes(ask, dir);
    await benchAgreement(ask);
    return (await benchNames(dir)) && fast;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

type Ask = (question: Question) => Promise<Answer>;

/** A file with code, and addresses in it. */
interface Sample {
  readonly path: string;
  readonly mb: number;
  readonly offsets: readonly number[];
  /** The same places as virtual addresses of the file. */
  readonly vaddrs: readonly number[];
}

async function benchTimes(ask: Ask, dir: string): Promise<boolean> {
  const cache = join(dir, 'cache');
  const many = largestObjects().map((path) => sample(path, ADDRESSES / OBJECTS));
  const [few, tenfold, large] = await Promise.all([
    assemble(dir, 'few', FUNCTIONS, 0),
    assemble(dir, 'tenfold', 10 * FUNCTIONS, 0),
    assemble(dir, 'large', FUNCTIONS, DATA_MB),
  ]);
  const cases: [string, Sample[]][] = [
    ['libc.so.6', [sample(realpathSync(`${LIBRARIES}/libc.so.6`), 1000)]],
    ['node', [sample(process.execPath, 1000)]],
    [`${FUNCTIONS} functions`, [sample(few, 1000)]],
    ['10 times as many', [sample(tenfold, 1000)]],
    [`and ${DATA_MB} MB of data`, [sample(large, 1000)]],
    [`${OBJECTS} objects`, many],
  ];
  console.log(
    '\nsymbols: names of addresses, the first time (cold), from the symbol cache, and again (warm)',
  );
  console.log('  object                  MB  addresses   cold ms  cached ms  warm ms   warm /s  memory MB');
  const times: Times[] = [];
  for (const [what, samples] of cases) times.push(await timesOf(what, samples, ask, cache));
  await timeAddr2line(many);
  const [, , small, wide, padded, warm] = times as [Times, Times, Times, Times, Times, Times];
  return judge([
    [
      `${warm.warm.toFixed(1)} ms for ${ADDRESSES} addresses in ${OBJECTS} objects, warm (aim: ${AIM.warmMs} or less)`,
      warm.warm <= AIM.warmMs,
    ],
    [
      `10 times as many functions take ${(wide.cold / small.cold).toFixed(1)} times as long, cold (aim: ${AIM.tenfold} or less)`,
      wide.cold <= AIM.tenfold * small.cold,
    ],
    [
      `a file of ${DATA_MB} MB takes ${(padded.cold / small.cold).toFixed(2)} times as long as one without the data (aim: ${AIM.large} or less)`,
      padded.cold <= AIM.large * small.cold,
    ],
  ]);
}

function judge(aims: readonly [string, boolean][]): boolean {
  for (const [text, reached] of aims) console.log(`${reached ? 'reached' : 'MISSED '}  ${text}`);
  return aims.every(([, reached]) => reached);
}

/** In ms. */
interface Times {
  readonly cold: number;
  readonly warm: number;
}

/** Takes the fastest of several runs, because other load can only slow a run down. */
async function timesOf(what: string, samples: readonly Sample[], ask: Ask, cache: string): Promise<Times> {
  const files = Object.fromEntries(samples.map(({ path, offsets }) => [path, offsets]));
  const fastest = async (question: Question) => {
    const answers: Answer[] = [];
    for (let run = 0; run < RUNS; run++) answers.push(await ask(question));
    return answers.reduce((a, b) => (a.first <= b.first ? a : b));
  };
  const cold = await fastest({ files, rounds: 5 });
  await ask({ files, cache, rounds: 1 });
  const cached = await fastest({ files, cache, rounds: 1 });
  const count = samples.reduce((sum, { offsets }) => sum + offsets.length, 0);
  const mb = samples.reduce((sum, one) => sum + one.mb, 0);
  const cells = [mb.toFixed(1), count, cold.first.toFixed(1), cached.first.toFixed(1), cold.last.toFixed(2)];
  const more = [Math.round((count / cold.last) * 1000), (cold.bytes / 1e6).toFixed(0)];
  const row = [...cells, ...more].map((cell, i) => String(cell).padStart(WIDTHS[i] ?? 8));
  console.log(`  ${what.padEnd(18)}${row.join('')}`);
  return { cold: cold.first, warm: cold.last };
}

const WIDTHS = [8, 11, 10, 11, 9, 10, 11];

/** Makes a library of many small functions and much data. */
async function assemble(dir: string, name: string, functions: number, dataMb: number): Promise<string> {
  const source = join(dir, `${name}.s`);
  const one = (i: number) =>
    `.globl f${i}\n.type f${i}, @function\nf${i}: nop\nnop\nret\n.size f${i}, .-f${i}\n`;
  const code = Array.from({ length: functions }, (_, i) => one(i)).join('');
  writeFileSync(source, `.text\n${code}.data\n.fill ${dataMb * 2 ** 17}, 8, 1\n`);
  await $({ quiet: true })`gcc -shared -nostdlib -o ${dir}/${name}.so ${source}`;
  return join(dir, `${name}.so`);
}

/** Times addr2line with one process per object, and with one process per address, as denet runs it. */
async function timeAddr2line(samples: readonly Sample[]): Promise<void> {
  const started = performance.now();
  for (const { path, vaddrs } of samples) await addr2line(path, vaddrs);
  const perObject = performance.now() - started;
  const first = samples.flatMap(({ path, vaddrs }) =>
    vaddrs.slice(0, ONE_BY_ONE / OBJECTS).map((v) => ({ path, v })),
  );
  const began = performance.now();
  for (const { path, v } of first) await addr2line(path, [v]);
  const perAddress = (performance.now() - began) / first.length;
  console.log(
    `  addr2line: ${perObject.toFixed(0)} ms for all of them by one process for each object, ${perAddress.toFixed(1)} ms for each address by one process for each`,
  );
}

/** Names of functions, ignoring inlined ones. For an address in no function, addr2line names the nearest one before it. */
async function addr2line(path: string, vaddrs: readonly number[]): Promise<string[]> {
  const input = vaddrs.map((vaddr) => `0x${vaddr.toString(16)}\n`).join('');
  const { stdout } = await $({ quiet: true, input })`addr2line -a -f -i -e ${path}`;
  return parseSourceLines(stdout, vaddrs).map((functions) => functions.at(-1)?.function ?? '??');
}

async function benchAgreement(ask: Ask): Promise<void> {
  const samples = [`${LIBRARIES}/libc.so.6`, `${LIBRARIES}/libstdc++.so.6`, process.execPath].map((path) =>
    sample(realpathSync(path), 2000),
  );
  console.log('\nsymbols: beside addr2line -f on the same object');
  console.log(
    '  object                   addresses  same name  same address, other name  named by one only  different',
  );
  for (const one of samples) {
    const { names } = await ask({ files: { [one.path]: one.offsets }, rounds: 1 });
    const theirs = await addr2line(one.path, one.vaddrs);
    const count = compare(names[one.path] ?? [], theirs, await symbolAddresses(one.path));
    const cells = [one.offsets.length, count.same, count.alias, count.single, count.different];
    console.log(
      `  ${(one.path.split('/').at(-1) ?? '').padEnd(22)}${cells.map((cell, i) => String(cell).padStart([12, 11, 26, 19, 11][i] ?? 8)).join('')}`,
    );
  }
}

function compare(
  ours: readonly (string | null)[],
  theirs: readonly string[],
  at: ReadonlyMap<string, ReadonlySet<string>>,
) {
  const count = { same: 0, alias: 0, single: 0, different: 0 };
  for (const [i, name] of ours.entries()) {
    const other = (theirs[i] ?? '??').replace(/@.*/, '');
    const shared = [...(at.get(name ?? '') ?? [])].some((address) => at.get(other)?.has(address));
    if (name === null ? other === '??' : whole(name) === whole(other)) count.same++;
    else if (name === null || other === '??') count.single++;
    else if (shared) count.alias++;
    else count.different++;
  }
  return count;
}

/** Removes the suffix that a compiler adds when it splits or specialises a function: debug information lacks it. */
function whole(name: string): string {
  return name.replace(/(\.(cold|isra|constprop|part|lto_priv)(\.\d+)?)+$/, '');
}

/** Addresses of each name. Several names may share an address, and versions of a symbol have several addresses. */
async function symbolAddresses(path: string): Promise<Map<string, Set<string>>> {
  const elf = elfOf(path);
  const debugFile = 'problem' in elf ? undefined : findDebugFile(elf, path);
  const tables = await Promise.all(
    [[path], ['-D', path], ...(debugFile ? [[debugFile]] : [])].map(
      (words) => $({ quiet: true, nothrow: true })`nm -P ${words}`,
    ),
  );
  const addresses = new Map<string, Set<string>>();
  for (const { stdout } of tables) {
    for (const [, name = '', address = ''] of stdout.matchAll(/^(\S+?)(?:@\S+)? [tTwWiVv] ([0-9a-f]+)/gm))
      addresses.set(name, (addresses.get(name) ?? new Set()).add(address.replace(/^0+/, '')));
  }
  return addresses;
}

function largestObjects(): string[] {
  const paths = readdirSync(LIBRARIES).map((name) => join(LIBRARIES, name));
  const files = paths
    .filter((path) => /\.so(\.|$)/.test(path) && statSync(path).isFile())
    .map((path) => realpathSync(path));
  const elves = [...new Set(files)].filter((path) => !('problem' in elfOf(path)));
  return elves.sort((a, b) => statSync(b).size - statSync(a).size).slice(0, OBJECTS);
}

function elfOf(path: string) {
  const bytes = readFileSync(path);
  return readElf({ size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) });
}

/** Picks addresses at equal distances in the code of a file. */
function sample(path: string, count: number): Sample {
  const elf = elfOf(path);
  if ('problem' in elf) throw new Refusal(`${path}: ${elf.problem}`);
  const code = elf.sections.find((section) => section.name === '.text');
  if (!code) throw new Refusal(`${path} has no .text`);
  const steps = Array.from({ length: count }, (_, i) => Math.floor((code.size * i) / count));
  return {
    path,
    mb: statSync(path).size / 1e6,
    offsets: steps.map((step) => code.offset + step),
    vaddrs: steps.map((step) => code.addr + step),
  };
}

/** Bundles our code as it is shipped, and runs it in its own process. */
async function reader(dir: string): Promise<Ask> {
  const outfile = join(dir, 'naming-reader.mjs');
  const banner =
    "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
  const entry = fileURLToPath(new URL('naming-reader.ts', import.meta.url));
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: { js: banner },
  });
  return async (question) => {
    const input = JSON.stringify(question);
    const { stdout } = await $({ quiet: true, input })`exec taskset -c 0 node ${outfile}`;
    return JSON.parse(stdout) as Answer;
  };
}
