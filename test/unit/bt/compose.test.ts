import { describe, expect, test } from 'vitest';
import { composeProgram, type Plan, type ProgramContext } from '../../../bt/compose.ts';
import { dialectFor } from '../../../bt/dialect.ts';
import { PROFILERS, selectProfilers } from '../../../bt/profilers/registry.ts';

const PLAN: Plan = { profilers: PROFILERS, minBlockNs: 0, stacks: true, stackDepth: 127, children: true };

const RUN: ProgramContext = {
  dialect: dialectFor('bpftrace v0.17.0'),
  arch: 'x86_64',
  btf: true,
  follow: { kind: 'held', pid: 4711, execs: 2, children: true },
  self: 42,
};
const ATTACH: ProgramContext = { ...RUN, follow: { kind: 'named', by: 42, children: true } };
const SCRIPT: ProgramContext = { ...RUN, follow: { kind: 'argument', children: true }, self: undefined };

describe('the program for bpftrace 0.17', () => {
  test.each([
    ['run', RUN],
    ['attach', ATTACH],
    ['script', SCRIPT],
  ])('of %s is the one in fixtures', async (name, context) => {
    await expect(composeProgram(PLAN, context)).toMatchFileSnapshot(
      `../../../fixtures/programs/0.17/${name}.bt`,
    );
  });
});

const VARIANTS: [string, Plan, ProgramContext][] = [
  ['run', PLAN, RUN],
  ['attach', PLAN, ATTACH],
  ['script', PLAN, SCRIPT],
  ['attach without stacks', { ...PLAN, stacks: false }, ATTACH],
  ['attach with the shortest waits left out', { ...PLAN, minBlockNs: 1_000_000 }, ATTACH],
  ['run with samples', { ...PLAN, intervalMs: 100 }, RUN],
  [
    'run without children',
    { ...PLAN, children: false },
    { ...RUN, follow: { ...RUN.follow, children: false } },
  ],
  ['run of syscalls', { ...PLAN, profilers: selectProfilers(['syscalls']) }, RUN],
  ['run of offcpu', { ...PLAN, profilers: selectProfilers(['offcpu']) }, RUN],
  ['run without BTF', PLAN, { ...RUN, btf: false }],
  ['run on arm64', PLAN, { ...RUN, arch: 'aarch64' }],
];

describe.each(VARIANTS)('%s', (_, plan, context) => {
  const program = composeProgram(plan, context);
  const code = program.replace(/\/\*[\s\S]*?\*\/|\/\/.*|"[^"]*"/g, '');

  test('braces and parentheses match', () => {
    for (const [open, close] of ['{}', '()', '[]']) {
      expect(code.split(open as string)).toHaveLength(code.split(close as string).length);
    }
  });

  test('every map that is read is written somewhere', () => {
    const written = new Set(
      [...code.matchAll(/(@\w+)(?:\[[^\]]*(?:\[[^\]]*\])?[^\]]*\])? = /g)].map((m) => m[1]),
    );
    for (const [name] of code.matchAll(/@\w+/g)) expect(written).toContain(name);
  });

  test('every map is printed or cleared', () => {
    const maps = new Set([...code.matchAll(/@\w+/g)].map(([name]) => name));
    const cared = [...code.matchAll(/(?:print|clear)\((@\w+)\)/g)].map((m) => m[1]);
    if (context.self !== undefined) expect([...maps].sort()).toEqual([...new Set(cared)].sort());
  });

  test('it speaks the language of bpftrace 0.16', () => {
    expect(code).not.toMatch(/\bargs\.|\blet\b|\bhas_key\b|\bconfig\b|\bfor\b|\braw\)/);
  });

  test('every exit of a followed thread is told once', () => {
    expect(code.match(/print\(\(, nsecs, pid, tid, /g)).toHaveLength(1);
  });
});

test('the head names the profilers, and how a script is run by itself', () => {
  expect(composeProgram(PLAN, SCRIPT)).toContain(' * Runs without btprof too: bpftrace [-f json] FILE PID');
  expect(composeProgram(PLAN, RUN)).not.toContain('Runs without btprof');
  for (const { name, summary } of PROFILERS) {
    expect(composeProgram(PLAN, RUN)).toContain(` * ${name}: ${summary}\n`);
  }
});

test('one profiler brings no probe of another', () => {
  const syscalls = composeProgram({ ...PLAN, profilers: selectProfilers(['syscalls']) }, RUN);
  expect(syscalls).not.toContain('sched_switch');
  const offcpu = composeProgram({ ...PLAN, profilers: selectProfilers(['offcpu']) }, RUN);
  expect(offcpu).not.toContain('raw_syscalls');
});
