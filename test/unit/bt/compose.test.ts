import { describe, expect, test } from 'vitest';
import { composeMaps, composeProgram, type Plan, type ProgramTarget } from '../../../bt/compose.ts';
import { dialectFor } from '../../../bt/dialect.ts';
import { PROFILERS } from '../../../bt/profilers/profiler-registry.ts';
import { ALL, ATTACH, chosen, PLAN, PROGRAMS, RUN, SCRIPT, VERSIONS } from './programs.ts';

describe.each(VERSIONS)('the program for bpftrace %s', (version) => {
  test.each(Object.entries(PROGRAMS))('%s matches its fixture', async (name, [plan, context]) => {
    const program = composeProgram(plan, { ...context, dialect: dialectFor(`bpftrace v${version}.0`) });
    await expect(program).toMatchFileSnapshot(`../../../fixtures/programs/${version}/${name}.bt`);
  });
});

const NEWER: ProgramTarget = { ...RUN, dialect: dialectFor('bpftrace v0.27.1') };

const VARIANTS: [string, Plan, ProgramTarget][] = [
  ...Object.entries(PROGRAMS).map(([name, [plan, context]]): [string, Plan, ProgramTarget] => [
    name,
    plan,
    context,
  ]),
  ['run with bpftrace 0.27', PLAN, NEWER],
  ['script for bpftrace 0.27', PLAN, { ...SCRIPT, dialect: NEWER.dialect }],
];

describe.each(VARIANTS)('%s', (_, plan, context) => {
  const program = composeProgram(plan, context);
  const code = program.replace(/\/\*[\s\S]*?\*\/|\/\/.*|"[^"]*"/g, '');

  test('braces and parentheses match', () => {
    for (const [open, close] of ['{}', '()', '[]']) {
      expect(code.split(open as string)).toHaveLength(code.split(close as string).length);
    }
  });

  const namesIn = (pattern: RegExp) => new Set([...code.matchAll(pattern)].map((match) => match[1]));
  const named = namesIn(/(@\w+)/g);

  test('every map that is read is also written', () => {
    const written = namesIn(/(@\w+)(?:\[[^\]]*(?:\[[^\]]*\])?[^\]]*\])? = /g);
    expect([...named].filter((name) => !written.has(name))).toEqual([]);
  });

  test('all its maps have a known size', () => {
    const maps = composeMaps(plan, context).map((map) => map.name);
    expect([...named].sort()).toEqual([...maps].sort());
  });

  test('the maps with one value per CPU are those in which the kernel aggregates', () => {
    const summed = namesIn(/(@\w+)(?:\[[^=@\n]*\])? = (?:count|stats|min|max)\(/g);
    const perCpu = composeMaps(plan, context).filter((map) => map.perCpu);
    expect([...summed].sort()).toEqual(perCpu.map((map) => map.name).sort());
    const stats = composeMaps(plan, context).filter((map) => map.stats);
    expect(stats.map((map) => map.name)).toEqual([...namesIn(/(@\w+)\[[^=@\n]*\] = stats\(/g)]);
  });

  test('every map is printed or cleared', () => {
    const cared = namesIn(/(?:print|clear)\((@\w+)\)/g);
    if (context.self !== undefined) expect([...named].sort()).toEqual([...cared].sort());
  });

  test('the language is that of bpftrace 0.16, except for stacks', () => {
    const raw = context.dialect.stackMode === 'raw' && context.follow.kind !== 'argument';
    const stacks = raw ? code.replaceAll('stack(raw, ', 'stack(perf, ') : code;
    const numbered = context.dialect.stackStore === 'inline';
    const old = numbered ? stacks.replaceAll(/(?:has_key|len)\([@$]\w*(?:kernel|user)/g, '(') : stacks;
    expect(old).not.toMatch(/\bargs\.|\blet\b|\bhas_key\b|\blen\(|\bconfig\b|\bfor\b|\braw\b/);
  });

  test('every exit of a followed thread is printed once', () => {
    const printed = code.match(/.*print\(\(, (?:nsecs|\$now), pid, tid, /g) ?? [];
    const [unseen, seen] = [true, false].map((is) =>
      printed.filter((line) => line.includes('.0 == 0') === is),
    );
    expect(seen).toHaveLength(1);
    expect(unseen?.length).toBeLessThanOrEqual(1);
  });
});

test('the head names the profilers, and how to run a script without btprof', () => {
  expect(composeProgram(PLAN, SCRIPT)).toContain(' * Runs without btprof too: bpftrace [-f json] FILE PID');
  expect(composeProgram(PLAN, RUN)).not.toContain('Runs without btprof');
  for (const { name, summary } of PROFILERS) {
    expect(composeProgram({ ...PLAN, profilers: chosen(ALL) }, RUN)).toContain(` * ${name}: ${summary}\n`);
  }
});

test('selecting one profiler adds no probes of others', () => {
  const syscalls = composeProgram({ ...PLAN, profilers: chosen('syscalls') }, RUN);
  expect(syscalls).not.toContain('sched_switch');
  const offcpu = composeProgram({ ...PLAN, profilers: chosen('offcpu') }, RUN);
  expect(offcpu).not.toContain('raw_syscalls');
});

test.each([
  ['run with bpftrace 0.17 prints stacks with names', RUN, 'perf'],
  ['attach with bpftrace 0.27 prints addresses', { ...ATTACH, dialect: NEWER.dialect }, 'raw'],
  ['a script for bpftrace 0.27, for people, prints names', { ...SCRIPT, dialect: NEWER.dialect }, 'perf'],
])('%s', (_, context, mode) => {
  const modes = [...composeProgram(PLAN, context).matchAll(/[ku]stack\((\w+), 127\)/g)].map((m) => m[1]);
  expect(new Set(modes)).toEqual(new Set([mode]));
});

test('saved stacks are in the keys of waits and in waits in progress', () => {
  const withStacks = (plan: Plan) =>
    composeMaps(plan, RUN)
      .filter((map) => map.stacksInKey || map.stacksInValue)
      .map((map) => map.name);
  expect(withStacks(PLAN)).toEqual(['@waits', '@off']);
  expect(withStacks({ ...PLAN, stacks: false })).toEqual([]);
});

describe('mappings of code are printed', () => {
  const tells = ([plan, context]: readonly [Plan, ProgramTarget]) => {
    const program = composeProgram(plan, context);
    return ['sys_enter_mmap', 'sys_exit_mmap', '("image"', '("auxv"', '("path"'].map((part) =>
      program.includes(part),
    );
  };
  const without = [
    'script',
    'attach-no-stacks',
    'attach-syscalls-times',
    'run-syscalls',
    'run-syscalls-no-follow',
    'run-no-btf',
  ];

  test.each(Object.entries(PROGRAMS))(
    'by %s, if it has stacks and BTF and btprof reads the output',
    (name, program) => {
      expect(new Set(tells(program))).toEqual(new Set([!without.includes(name)]));
    },
  );

  test('by only one profiler if several have stacks', () => {
    const offcpu = { ...PLAN, profilers: chosen('offcpu') };
    expect(new Set(tells([offcpu, ATTACH]))).toEqual(new Set([true]));
  });
});
