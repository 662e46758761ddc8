import { describe, expect, test } from 'vitest';
import { off, waits } from '../../../bt/profilers/offcpu/off-maps.ts';
import type { ProgramContext } from '../../../bt/profilers/profiler.ts';
import { numberedStacks, saveStacks } from '../../../bt/stacks.ts';
import { readStacks, splitStacks } from '../../../metrics/stack-texts.ts';
import type { MapEntry } from '../../../parsers/entries.ts';
import { CONTEXT } from './profilers/program-context.ts';
import { readRows } from './read-context.ts';

const KERNEL = '\nffffffff821f94c3\nffffffff8220043e\n';
const USER = '\n7fdb5baed503\n11e1a300\n';
const MAPS = new Map<string, MapEntry[]>(
  Object.entries({
    '@kernel_stacks': [{ key: '281479271677953', value: KERNEL }],
    '@user_stacks': [
      { key: '281479271677954', value: USER },
      { key: '281474976710657', value: 7 },
    ],
  }),
);
const STACKS = readStacks(MAPS);
const NUMBERS = '281479271677953,281479271677954';

describe('stacks with numbers', () => {
  test('are read from two maps; a value that is not a stack is an empty stack', () => {
    expect([...STACKS.values()]).toEqual([KERNEL, USER]);
  });

  test.each([
    ['both', NUMBERS, [KERNEL, USER]],
    ['one that did not fit', '0,281479271677954', ['', USER]],
    ['an unknown number', '281479271677953,5', [KERNEL, '']],
    ['stacks printed in place', `${KERNEL},${USER}`, [KERNEL, USER]],
    ['none', '', ['', '']],
  ])('are found by number: %s', (_, text, stacks) => {
    expect(splitStacks(text, STACKS)).toEqual(stacks);
  });

  test('are in the keys of one map and in the values of another', () => {
    const stacks = {
      kernel: ['ffffffff821f94c3', 'ffffffff8220043e'],
      user: ['7fdb5baed503', '11e1a300'],
    };
    const ended = readRows(waits, [{ key: `7,6,1,1,${NUMBERS}`, value: { count: 2, total: 9 } }], MAPS);
    expect(ended.rows).toMatchObject([stacks]);
    const numbers = NUMBERS.split(',').map(Number);
    const open = readRows(off, [{ key: '7', value: [5, 6, 1, 1, 0, 9, 2, ...numbers] }], MAPS);
    expect(open.rows).toMatchObject([stacks]);
  });
});

describe('a short stack', () => {
  const NUMBERED: ProgramContext = { ...CONTEXT, numberStacks: true, stops: true };
  const linesOf = (changes: Partial<ProgramContext>) =>
    saveStacks({ ...NUMBERED, ...changes }, () => []).map((line) => line.trim());
  const lookups = (lines: readonly string[]) => lines.flatMap((l) => /^\$\w+ = (@.*);/.exec(l)?.[1] ?? []);

  test('is looked up by a short key, and the whole stack is stored', () => {
    const lines = linesOf({});
    expect(lines).toContain('if (len($short_user) < 24) {');
    expect(lookups(lines)).toEqual([
      ...['@kernel_short[$short_kernel]', '@kernel_short[$short_kernel]'],
      ...['@kernel_numbers[kstack(raw, 127)]', '@kernel_numbers[$new_kernel]'],
      ...['@user_short[$short_user]', '@user_short[$short_user]'],
      ...['@user_numbers[ustack(raw, 127)]', '@user_numbers[$new_user]'],
    ]);
    const kept = lines.filter((line) => line.includes('@user_stacks[$user] = '));
    expect(kept).toEqual([
      'if ($user) { @user_stacks[$user] = ustack(raw, 127); }',
      'if ($user) { @user_stacks[$user] = $new_user; }',
    ]);
    for (const line of kept)
      expect(lines[lines.indexOf(line) + 1]).toBe(
        'if (!has_key(@user_stacks, $user)) { @full["@user_stacks"] = 1; }',
      );
  });

  test('has no short key if stacks cannot be longer', () => {
    expect(linesOf({ stackDepth: 47 }).join()).not.toContain('short');
    const names = (depth: number) => numberedStacks(depth).maps.map((map) => map.name);
    expect(names(47)).not.toContain('@user_short');
    expect(names(48)).toEqual(expect.arrayContaining(['@kernel_short', '@user_short']));
  });

  test('has no short key if it is unwound by DWARF, which is slow', () => {
    const lines = linesOf({ dwarfPids: [7] });
    const tables = lines.slice(lines.indexOf('if (@gen[(uint64)pid] == 1 && (pid == 7)) {') + 1);
    expect(tables[0]).toBe('$user = @user_numbers[dw_ustack(raw, 127)];');
  });
});
