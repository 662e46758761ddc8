import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import type { Offcpu } from '../../bt/profilers/offcpu/off-schema.ts';
import type { Frame } from '../../metrics/fields.ts';
import type { Profile, Sample } from '../../metrics/schema.ts';
import { lacks } from '../optional-tools.ts';
import { btprof, profile, sum, temporaryFile, valid, validProfile } from './btprof.ts';

/** User frames of each stack, leaf first. */
function chains(offcpu: Offcpu | undefined): Frame[][] {
  return (offcpu?.stacks ?? []).map(({ user }) => user.map((index) => offcpu?.frames[index] as Frame));
}

/** The longest stack that contains all of the functions in this order, without gaps. */
function chainOf({ ebpf }: Profile, ...functions: RegExp[]): Frame[] {
  const matching = chains(ebpf.offcpu).filter((frames) =>
    frames.some((_, at) => functions.every((name, i) => name.test(frames[at + i]?.symbol ?? ''))),
  );
  return matching.sort((a, b) => b.length - a.length)[0] ?? [];
}

const SPIN = ['--perf-basic-prof', '--interpreted-frames-native-stack', 'fixtures/workloads/spin.js', '30'];
/** Runs the same command twice on one CPU. */
const TWICE = 'taskset -c 0 "$@" & taskset -c 0 "$@"; wait';

describe.concurrent('code compiled by a runtime', () => {
  test('JavaScript has the names that Node.js writes', async () => {
    const result = await profile(['run', 'sh', '-c', TWICE, 'sh', 'node', ...SPIN]);
    const chain = chainOf(result, /^JS:.inner /, /^JS:.middle /, /^JS:.outer /);
    expect(chain.find(({ symbol }) => symbol?.includes('outer'))?.module).toMatch(/^\/tmp\/perf-\d+\.map$/);
    expect(chain.map(({ symbol }) => symbol)).toContain('node::Start(int, char**)');
    expect(result.quality.hints.join()).not.toContain('Node.js');
  });

  test('JavaScript without names gets a hint', async () => {
    const { quality } = await profile(['run', 'node', 'fixtures/workloads/spin.js', '5']);
    expect(quality.hints.join()).toMatch(/^1 process of Node\.js \(\d+\) .*--perf-basic-prof/);
  });

  test('Python without names gets a hint', async () => {
    const { quality } = await profile(['run', 'python3', '-c', 'import time; time.sleep(0.2)']);
    expect(quality.hints.join()).toMatch(/1 process of Python \(\d+\) .*python3 -X perf/);
  });
});

describe.concurrent('a compiled program', () => {
  test('in Go has names, even if stripped', async () => {
    const program = temporaryFile('program');
    await execa('go', ['build', '-ldflags=-s -w', '-o', program, 'fixtures/workloads/chain.go']);
    const result = await profile(['run', program, '17', '10']);
    expect(chainOf(result, /^main\.inner$/, /^main\.middle$/, /^main\.outer$/, /^main\.main$/)).not.toEqual(
      [],
    );
  });

  test.skipIf(process.arch !== 'x64' || lacks('rustc'))('in Rust has names and lines', async () => {
    const program = temporaryFile('program');
    const flags = ['-g', '-C', 'force-frame-pointers=yes', '-C', 'opt-level=1'];
    await execa('rustc', [...flags, '-o', program, 'fixtures/workloads/chain.rs']);
    const result = await profile(['run', '--lines', program, '17', '10']);
    const chain = chainOf(result, /^chain::inner$/, /^chain::shop::Till::middle$/, /^chain::outer$/);
    expect(chain[2]?.file).toMatch(/chain\.rs$/);
    expect(chain[2]?.line).toBe(lineOf('fixtures/workloads/chain.rs', 'shop::Till.middle(ms) + 1'));
  });
});

function lineOf(file: string, text: string): number {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.findIndex((line) => line.includes(text)) + 1;
}

test('samples with C++ names are written until the end', async () => {
  const [program, file] = [temporaryFile('program'), temporaryFile('p.jsonl')];
  const source = 'fixtures/workloads/inlined.cc';
  await execa('g++', ['-O1', '-fno-omit-frame-pointer', '-o', program, source]);
  // On a busy machine a sample may cover several intervals, so the shell waits until there are enough.
  const script = '"$0" 97 10; until [ "$(wc -l < "$1")" -gt 7 ]; do sleep 0.05; done';
  const args = ['run', '-q', '-f', 'jsonl', '-i', '100ms', '-o', file, 'sh', '-c', script, program, file];
  expect((await btprof(args)).status).toBe(0);
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  const samples = lines.slice(1, -1).map((line) => valid<Sample>(line));
  expect(samples.length).toBeGreaterThan(5);
  const outer = 'shop::outer_of(timespec*)';
  const { offcpu } = validProfile(lines.at(-1) ?? '').ebpf;
  const slept = (offcpu?.stacks ?? []).filter(
    ({ state, user }) => state === 'S' && user.some((index) => offcpu?.frames[index]?.symbol === outer),
  );
  expect(sum(slept.map(({ count }) => count))).toBe(97);
  const named = samples.flatMap(({ ebpf }) => ebpf.offcpu?.frames ?? []).map(({ symbol }) => symbol);
  expect(named).toContain(outer);
});

describe.concurrent('--lines', () => {
  test.each([
    ['C', 'gcc', 'fixtures/workloads/chain.c', ['inner', 'middle', 'outer']],
    ['C++', 'g++', 'fixtures/workloads/inlined.cc', ['inner_of', 'middle_of', 'outer_of']],
  ])('shows file and line of %s', async (_, compiler, source, names) => {
    const program = temporaryFile('program');
    await execa(compiler, ['-g', '-O1', '-fno-omit-frame-pointer', '-o', program, source]);
    const result = await profile(['run', '--lines', program, '17', '10']);
    const patterns = names.map((name) => new RegExp(`\\b${name}\\b`));
    const chain = chainOf(result, ...patterns).filter(({ symbol }) =>
      patterns.some((p) => p.test(symbol ?? '')),
    );
    const places = chain.slice(1).map(({ file, line }) => [basename(file ?? ''), line]);
    expect(places).toEqual(names.slice(1).map((name) => [basename(source), lineOf(source, `long ${name}(`)]));
  });

  test('shows inlined functions', async () => {
    const program = temporaryFile('program');
    const source = 'fixtures/workloads/inlined.cc';
    await execa('g++', ['-g', '-O1', '-fno-omit-frame-pointer', '-o', program, source]);
    const result = await profile(['run', '--lines', program, '17', '10']);
    const chain = chainOf(result, /outer/, /counted/, /^main$/);
    const [counted, main] = chain.slice(chain.findIndex(({ symbol }) => symbol?.includes('counted')));
    expect(counted).toMatchObject({
      symbol: expect.stringContaining('counted'),
      inlined: true,
      offset: null,
    });
    expect(main).toMatchObject({ symbol: 'main', inlined: false, address: counted?.address });
  });

  test('is off by default', async () => {
    const { ebpf } = await profile(['run', 'sleep', '0.05']);
    expect(ebpf.offcpu?.frames.some((frame) => 'file' in frame || 'inlined' in frame)).toBe(false);
  });
});
