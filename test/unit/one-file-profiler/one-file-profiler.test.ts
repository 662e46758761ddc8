import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { type Label, Profile as PprofProfile } from 'pprof-format';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeFrame, sentenceOf } from '../../../cli/formats/flamegraph/describe.ts';
import { decodeProfile } from '../../../cli/formats/flamegraph/flame-profile.ts';
import { buildTree } from '../../../cli/formats/flamegraph/tree.ts';
import { jsonSchemaText } from '../../../metrics/schema.ts';
import { fakeBpftrace } from '../../fake/bpftrace.ts';
import { buildCommand, type FakeCommand } from '../../fake/command.ts';
import { untilPrints } from '../../fake/processes.ts';
import { type App, recordedRun, startApp } from './locking-app.ts';
import { PROFILERS } from './registry.ts';

const DIR = mkdtempSync(join(tmpdir(), 'btprof-one-file-'));
const BEFORE = join(DIR, 'before.btprof');
const AFTER = join(DIR, 'after.btprof');

let command: FakeCommand;
let app: App;
let before: Awaited<ReturnType<typeof attach>>;
let after: typeof before;

beforeAll(async () => {
  [command, app] = await Promise.all([
    buildCommand('test/unit/one-file-profiler/registry.ts'),
    startApp(DIR),
  ]);
  before = await attach('0.23.4', 3, ['-i', '1s', '-f', 'jsonl', '--capture', BEFORE]);
  after = await attach('0.27.1', 6, ['--json', '--capture', AFTER]);
});
afterAll(() => {
  app.end();
  rmSync(DIR, { recursive: true });
});

const OPTIONS = ['--no-self-measure', '--no-symbol-cache', '--unwind', 'fp', '-p', 'futex:min=1ms'];

/** Runs `btprof attach` until it has written two samples, or until it is collecting. */
async function attach(version: string, mainCalls: number, words: readonly string[]) {
  const fake = fakeBpftrace([recordedRun(app, mainCalls)], `echo bpftrace v${version}`);
  const running = command.start(fake, ['attach', ...OPTIONS, ...words, `${app.pid}`]);
  if (words.includes('jsonl')) {
    for (const line of ['metadata', 'sample']) {
      await untilPrints(running.stdout, `"kind":"${line}"`);
      fake.resume();
    }
    await untilPrints(running.stdout, '"kind":"sample"');
  } else await untilPrints(running.stderr, 'collecting');
  running.kill('SIGINT');
  const { exitCode, stdout } = await running;
  const [started] = fake.starts();
  fake.remove();
  return { exitCode, stdout, program: started?.program ?? '' };
}

/** Runs a command that starts no bpftrace, but may ask for its version. */
async function btprof(words: readonly string[], version?: string) {
  const fake = fakeBpftrace([], version);
  const done = await command.start(fake, words);
  fake.remove();
  return done;
}

async function reported(...options: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await btprof(['report', ...options, BEFORE]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return stdout;
}

/** The result: 7 calls of the worker (23 ms in all), 3 of the main thread (11 ms each), and one still in progress. */
const FIGURES = {
  ...{ total_calls: 10, total_time_ns: 356e6 },
  histogram: [
    { from_ns: 1048576, calls: 2 },
    { from_ns: 2097152, calls: 5 },
    { from_ns: 8388608, calls: 3 },
  ],
};

describe('the program', () => {
  test('of attach contains its option, and prints its maps at each interval and at the end', () => {
    const { program } = before;
    expect(program).toContain(' * futex: how long each thread was in futex(2), and in which stack\n');
    expect(program).toContain(
      '  if ($since && $took >= 1000000) {\n    @futex_took[(uint64)cpu] = hist($took);\n',
    );
    const printed = (from: string, to: string) => {
      const part = program.slice(program.indexOf(`print(("${from}"`), program.indexOf(`print(("${to}"`));
      return [...part.matchAll(/print\((@futex\w*)\)/g)].map(([, name]) => name);
    };
    expect(printed('tick', 'tock')).toEqual(['@futex_calls', '@futex_took']);
    expect(printed('stop', 'end')).toEqual(['@futex_calls', '@futex_took', '@futex']);
  });

  test('saves both stacks like the version of bpftrace', () => {
    const saved = ({ program }: typeof before) =>
      /@futex_calls\[\(uint64\)tid, \(uint64\)pid, @gen\[\(uint64\)pid\], (.*)\] = stats\(\$took\);/.exec(
        program,
      )?.[1];
    expect(saved(before)).toBe('kstack(raw, 127), ustack(raw, 127)');
    expect(saved(after)).toBe('$kernel, $user');
  });

  test('of script is for people, here for the oldest bpftrace', async () => {
    const { exitCode, stdout } = await btprof(
      ['script', '--min-futex', '2ms', 'futex'],
      'echo bpftrace v0.17.0',
    );
    expect(exitCode).toBe(0);
    expect(stdout).toContain(' * Written by btprof for bpftrace 0.17.0.\n');
    expect(stdout).toContain('  if ($since && $took >= 2000000) {\n');
    expect(stdout).toContain('kstack(perf, 127), ustack(perf, 127)] = stats($took);\n');
  });
});

test.each(['run', 'script'])('%s --help lists the profiler and its option', async (name) => {
  const { stdout } = await btprof([name, '--help']);
  expect(stdout).toMatch(/^ {2}futex +how long each thread was in futex\(2\), and in which stack$/m);
  expect(stdout).toMatch(/^ {2}futex:min=TIME +ignore calls shorter than TIME$/m);
  expect(stdout).toMatch(
    /^ {2}--min-futex <time> +ignore calls shorter than TIME; same as\s+futex:min=TIME$/m,
  );
});

test('btprof profilers describes it', async () => {
  const { stdout } = await btprof(['profilers']);
  expect(stdout.split('\n\n').at(-1)).toBe(`\
futex: how long each thread was in futex(2), and in which stack
  attaches to  syscalls:sys_enter_futex, syscalls:sys_exit_futex
  cost         a few µs per futex call of a followed thread
  note         locking a free mutex makes no call
`);
});

const validate = new Ajv2020({ strict: false }).compile(JSON.parse(jsonSchemaText(PROFILERS)));

function expectValid(output: unknown): void {
  expect(validate(output) ? [] : validate.errors).toEqual([]);
}

test('the JSON has its part, and the JSON Schema describes it', () => {
  const profile = JSON.parse(after.stdout);
  expect(profile.metadata.profilers).toEqual(['futex']);
  const { stacks, frames, mappings, ...figures } = profile.ebpf.futex;
  expect(figures).toEqual({
    ...{ total_calls: 13, total_time_ns: 389e6 },
    histogram: [...FIGURES.histogram.slice(0, 2), { from_ns: 8388608, calls: 6 }],
  });
  const { pid, worker } = app;
  expect(stacks).toEqual([
    {
      ...{ pid, tid: worker, comm: 'worker', calls: 0, time_ns: 300e6 },
      ...{ in_call: true, user: [], kernel: [] },
    },
    {
      ...{ pid, tid: pid, comm: 'app', calls: 6, time_ns: 66e6 },
      ...{ in_call: false, user: [0, 3], kernel: [2] },
    },
    {
      ...{ pid, tid: worker, comm: 'worker', calls: 7, time_ns: 23e6 },
      ...{ in_call: false, user: [0, 1], kernel: [2] },
    },
  ]);
  expect(frames.map(({ symbol, module }: Record<string, string>) => [symbol, module])).toEqual([
    ['take_lock', app.path],
    ['worker_loop', app.path],
    [null, '[kernel]'],
    ['main', app.path],
  ]);
  expect(mappings.map(({ path }: { path: string }) => path)).toEqual([app.path]);
  expectValid(profile);
  const wrong = { ...profile, ebpf: { futex: { ...profile.ebpf.futex, total_calls: 'ten' } } };
  expect(validate(wrong)).toBe(false);
});

test('samples of intervals have what each interval added', () => {
  const [metadata, first, second, profile, ...others] = before.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect([metadata.kind, profile.kind, others]).toEqual(['metadata', 'profile', []]);
  expect(first.ebpf.futex).toMatchObject({
    ...{ total_calls: 2, total_time_ns: 3e6, histogram: [{ from_ns: 1048576, calls: 2 }] },
    stacks: [{ tid: app.worker, calls: 2, time_ns: 3e6, user: [0, 1], kernel: [2] }],
  });
  expect(second.ebpf.futex).toMatchObject({
    ...{ total_calls: 8, total_time_ns: 53e6 },
    histogram: [
      { from_ns: 2097152, calls: 5 },
      { from_ns: 8388608, calls: 3 },
    ],
    stacks: [
      { tid: app.pid, calls: 3, time_ns: 33e6 },
      { tid: app.worker, calls: 5, time_ns: 20e6 },
    ],
  });
  expect(profile.ebpf.futex).toMatchObject(FIGURES);
  for (const line of [metadata, first, second, profile]) expectValid(line);
});

test('a capture gives the same samples and the same profile again', async () => {
  expect([before.exitCode, after.exitCode]).toEqual([0, 0]);
  expect(await reported('-f', 'jsonl')).toBe(before.stdout);
});

test('the summary has its finding, its block and its number of complete stacks', async () => {
  expect(await reported()).toBe(`\
btprof: process ${app.pid}
2.50 s, 1 process, 2 threads
- worker (${app.worker}) has been in futex() for 300.0 ms.

Futex: 356.0 ms in 10 calls
  calls   share  took
      2  20.0 %  1.0 ms and more
      5  50.0 %  2.1 ms and more
      3  30.0 %  8.4 ms and more

Quality: nothing lost, 1 of 4 frames unnamed, 0 of 10 stacks incomplete.
`);
});

test('folded stacks have its time', async () => {
  expect(await reported('-f', 'folded', '--root', 'reason')).toBe(`\
userspace_lock;[no stack] 300000000
userspace_lock;main;take_lock;[kernel]_[k] 33000000
userspace_lock;worker_loop;take_lock;[kernel]_[k] 23000000
`);
});

test('the flame graph has its title, stacks, colour and unit of events', async () => {
  const html = await reported('-f', 'flamegraph');
  expect(html).toContain(`<h1>Time in futex calls of process ${app.pid}</h1>`);
  const data = /<script id="data"[^>]*>([^<]*)<\/script>/.exec(html)?.[1] ?? '';
  const profile = decodeProfile(gunzipSync(Buffer.from(data, 'base64')));
  expect(profile).toMatchObject({ kinds: ['userspace_lock'], colours: [[23, 0.11]] });
  const tree = buildTree(profile, {
    ...{ group: 'none', order: 'time', width: 'after', hidden: new Set() },
    ...{ user: true, kernel: true, idle: true },
  });
  const described = (name: string) => {
    const node = [...tree.frame].findIndex((index) => profile.frames[index]?.name === name);
    return sentenceOf(describeFrame(profile, tree, node, 0));
  };
  expect(described('main')).toBe(
    `main; user function · ${app.path}; time 33.0 ms, 9.3 % of all; count 3 calls; for userspace lock`,
  );
  expect(described('all')).toBe(
    'all; time 356.0 ms, 100.0 % of all; count 10 calls; not ended 1 call, 300.0 ms; for userspace lock',
  );
});

test('speedscope shows its stacks and its kind', async () => {
  const { shared, profiles } = JSON.parse(await reported('-f', 'speedscope'));
  const names = (sample: number[]) => sample.map((index) => shared.frames[index].name);
  const [{ name, samples, weights }, ...threads] = profiles;
  expect({ name, weights, samples: samples.map(names) }).toEqual({
    ...{ name: 'all threads', weights: [300e6, 33e6, 23e6] },
    samples: [
      ['[userspace_lock, not ended]'],
      ['main', 'take_lock', '[kernel]', '[userspace_lock]'],
      ['worker_loop', 'take_lock', '[kernel]', '[userspace_lock]'],
    ],
  });
  expect(threads.map(({ name }: { name: string }) => name)).toEqual([
    `worker ${app.pid}:${app.worker}, 323.0 ms`,
    `app ${app.pid}:${app.pid}, 33.0 ms`,
  ]);
});

test('pprof has its values and stacks', async () => {
  const file = join(DIR, 'pprof');
  await reported('-f', 'pprof', '-o', file);
  const decoded = PprofProfile.decode(gunzipSync(readFileSync(file)));
  const text = (index: number | bigint) => decoded.stringTable.strings[Number(index)];
  const functionAt = (id: number | bigint) => {
    const location = decoded.location.find((one) => Number(one.id) === Number(id));
    const of = decoded.function.find((one) => Number(one.id) === Number(location?.line[0]?.functionId));
    return text(of?.name ?? 0);
  };
  const reasonOf = (labels: readonly Label[]) =>
    text(labels.find(({ key }) => text(key) === 'reason')?.str ?? 0);
  expect(decoded.sampleType.map(({ type, unit }) => [text(type), text(unit)])).toEqual([
    ['futex_calls', 'count'],
    ['futex_time', 'nanoseconds'],
  ]);
  expect(text(decoded.defaultSampleType)).toBe('futex_time');
  expect(
    decoded.sample.map(({ value, locationId, label }) => [
      ...[...value.map(Number), reasonOf(label), locationId.map(functionAt).join(' < ')],
    ]),
  ).toEqual([
    [0, 300e6, 'userspace_lock', '[no stack]'],
    [3, 33e6, 'userspace_lock', ' < take_lock < main'],
    [7, 23e6, 'userspace_lock', ' < take_lock < worker_loop'],
  ]);
});

describe('diff', () => {
  test('shows its table, its stacks and its metrics, and a gate decides', async () => {
    const gates = ['--fail-if', 'futex>+5%', '--fail-if', 'futex.total_calls>+100'];
    const { exitCode, stdout, stderr } = await btprof(['diff', ...gates, BEFORE, AFTER]);
    expect(exitCode).toBe(1);
    const [, ...sections] = stdout.split('\n\n');
    expect(sections.slice(1, -1)).toEqual([
      `\
    before     after    change                calls  time in futex calls
  356.0 ms  389.0 ms  +33.0 ms  +9.3 %  ~  10 -> 13  all threads`,
      `\
   before    after    change               calls by functions [library, kernel]
  33.0 ms  66.0 ms  +33.0 ms  +100.0 %  ~  userspace_lock take_lock < main`,
    ]);
    expect(stderr).toBe(`\
gate futex>+5%: crossed: 356.0 ms -> 389.0 ms (+9.3 %)
gate futex.total_calls>+100: held: 10 -> 13 (+30.0 %)
`);
  });

  test('prints its fields as JSON that fits the schema', async () => {
    const { exitCode, stdout } = await btprof(['diff', '--json', BEFORE, AFTER]);
    expect(exitCode).toBe(0);
    const compared = JSON.parse(stdout);
    expectValid(compared);
    expect(compared.futex).toMatchObject({ time_ns: { change: 33e6 }, calls: { change: 3 } });
    const { median: calls } = compared.call_chains[0].waits.after;
    expect([compared.call_chains[0].functions, calls]).toEqual(['take_lock < main', 6]);
    expect(compared.stacks[0]).toMatchObject({
      kind: 'userspace_lock',
      frames: ['main', 'take_lock', '[kernel]_[k]'],
    });
  });
});
