import { describe, expect, it } from 'vitest';
import { foldedStack, foldedView } from '../../../../../cli/formats/folded/folded-stacks.ts';
import { ROOTS } from '../../../../../cli/formats/folded/roots.ts';
import { recorded } from '../../../metrics/recorded-profiles.ts';
import { constructedProfile, HOSTILE_NAMES } from '../constructed-profile.ts';
import { frameOf, stackOf } from '../flame-frames.ts';
import { allStacks } from '../result-of.ts';

/**
 * A sample in the format of flamegraph.pl and inferno. The last blank precedes the value. The stack must not end with a blank
 * and a number, because they would read that as a first value.
 */
const LINE = /^(?!.*\s[\d.]+ \d+$)[^;\s\p{Cc}][^;\p{Cc}]*(;[^;\s\p{Cc}][^;\p{Cc}]*)* [1-9]\d*$/u;

function linesOf(folded: string): string[] {
  expect(folded.endsWith('\n') || folded === '').toBe(true);
  return folded.split('\n').slice(0, -1);
}

function sumOf(folded: string): bigint {
  return linesOf(folded).reduce((sum, line) => sum + BigInt(line.slice(line.lastIndexOf(' ') + 1)), 0n);
}

describe.each(['0.17', '0.23', '0.27'])('folded stacks of a recording with bpftrace %s', (version) => {
  it.each(['demo', 'sleepers', 'sleepers-no-stacks', 'deadlock', 'forks', 'oncpu', 'compat'])(
    '%s: has readable lines, all the time of the stacks, and each stack once',
    (name) => {
      const stacks = allStacks(recorded(version, name));
      for (const roots of [[], ROOTS]) {
        const folded = foldedView(stacks, roots);
        const lines = linesOf(folded);
        for (const line of lines) expect(line).toMatch(LINE);
        expect(lines).toEqual([...lines].sort());
        expect(new Set(lines.map((line) => line.slice(0, line.lastIndexOf(' ')))).size).toBe(lines.length);
        expect(sumOf(folded)).toBe(stacks.reduce((sum, { timeNs }) => sum + BigInt(timeNs), 0n));
      }
    },
  );

  it('shows the sleepers in the kernel, called from libc', () => {
    const lines = linesOf(foldedView(allStacks(recorded(version, 'sleepers')), ['reason']));
    expect(lines.filter((line) => /^sleep;.*;clock_nanosleep;.*;do_nanosleep_\[k\];/.test(line))).not.toEqual(
      [],
    );
  });
});

describe('a folded stack', () => {
  it('marks kernel functions and inlined functions', () => {
    const stack = stackOf('main', 5, {
      frames: [frameOf('main'), frameOf('get', { inlined: true }), frameOf('wait_k')],
    });
    expect(foldedStack(stack, [])).toBe('main;get_[i];wait_k_[k]');
  });

  it('begins with the roots of --root, in their order', () => {
    const stack = stackOf('main', 5, { pid: 12, tid: 13, comm: 'C2 Compiler', kind: 'disk' });
    expect(foldedStack(stack, ['reason', 'process', 'thread'])).toBe(
      'disk;C2 Compiler-12;C2 Compiler-12/13;main',
    );
    expect(foldedStack({ ...stack, comm: null }, ['process'])).toBe('?-12;main');
  });

  it.each([
    ['lock', '[no stack]'],
    ['on_cpu', '[on the CPU, not sampled]'],
    ['unaccounted', '[unaccounted]'],
  ] as const)('of kind %s without frames has a placeholder', (kind, text) => {
    expect(foldedStack(stackOf('', 5, { kind }), [])).toBe(text);
    expect(foldedView([stackOf('', 5, { kind })], [])).toBe(`${text} 5\n`);
  });

  it.each([
    ['a;b', 'a:b'],
    [' two\nlines\t', 'two lines'],
    ['nul\0', 'nul'],
    ['', '[unknown]'],
    [' \n ', '[unknown]'],
    ['worker 12', 'worker_12'],
    ['a 1.5', 'a_1.5'],
    ['12', '12'],
    ['f(int, char)', 'f(int, char)'],
  ])('writes the name %j as %j', (name, text) => {
    expect(foldedStack(stackOf('', 5, { frames: [frameOf(name)] }), [])).toBe(text);
  });

  it.each(HOSTILE_NAMES)('can be read back with the name %j anywhere', (name) => {
    const frames = [frameOf(name), frameOf('main'), frameOf(name)];
    const folded = foldedView([stackOf('', 5, { frames, comm: name })], ROOTS);
    expect(linesOf(folded)).toHaveLength(1);
    expect(folded.slice(0, -1)).toMatch(LINE);
    expect(folded.split(';')).toHaveLength(6);
  });
});

describe('folded stacks', () => {
  it('are added up, without those that took no time', () => {
    const stacks = [
      stackOf('b', 2),
      stackOf('a', 3, { tid: 2 }),
      stackOf('b', 5, { tid: 3 }),
      stackOf('c', 0),
    ];
    expect(foldedView(stacks, [])).toBe('a 3\nb 7\n');
    expect(foldedView([], [])).toBe('');
  });

  it('are exact beyond 2^53 ns', () => {
    const stacks = [2 ** 53, 1, 1, 1].map((ns) => stackOf('a', ns));
    expect(foldedView(stacks, [])).toBe('a 9007199254740995\n');
  });

  it('contain all of the time, even with hostile names', () => {
    const stacks = allStacks(constructedProfile());
    const folded = foldedView(stacks, ROOTS);
    for (const line of linesOf(folded)) expect(line).toMatch(LINE);
    expect(Number(sumOf(folded))).toBe(stacks.reduce((sum, { timeNs }) => sum + timeNs, 0));
  });
});
