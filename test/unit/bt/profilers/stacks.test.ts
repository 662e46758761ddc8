import { describe, expect, test } from 'vitest';
import { readSample } from '../../../../bt/profilers/oncpu.ts';
import { readStacks, splitStacks } from '../../../../bt/profilers/stacks.ts';
import { readOpenWait, readWait } from '../../../../bt/profilers/waits.ts';
import type { Entry } from '../../../../parsers/entries.ts';

const KERNEL = '\nffffffff821f94c3\nffffffff8220043e\n';
const USER = '\n7fdb5baed503\n11e1a300\n';
const MAPS: Record<string, Entry[]> = {
  '@kernel_stacks': [{ key: '281479271677953', value: KERNEL }],
  '@user_stacks': [
    { key: '281479271677954', value: USER },
    { key: '281474976710657', value: 7 },
  ],
};
const STACKS = readStacks((name) => MAPS[name] ?? []);
const NUMBERS = '281479271677953,281479271677954';

describe('stacks that have numbers', () => {
  test('are read out of two maps; what is no stack has none', () => {
    expect([...STACKS.values()]).toEqual([KERNEL, USER]);
  });

  test.each([
    ['both', NUMBERS, [KERNEL, USER]],
    ['one that found no room', '0,281479271677954', ['', USER]],
    ['a number that nobody gave', '281479271677953,5', [KERNEL, '']],
    ['stacks that stand there themselves', `${KERNEL},${USER}`, [KERNEL, USER]],
    ['none', '', ['', '']],
  ])('%s', (_, text, stacks) => {
    expect(splitStacks(text, STACKS)).toEqual(stacks);
  });

  test('stand in a wait, a wait in progress and a sample', () => {
    const stacks = { kernel: KERNEL, user: USER };
    expect(readWait({ key: `7,6,1,1,${NUMBERS}`, value: { count: 2, total: 9 } }, STACKS)).toMatchObject(
      stacks,
    );
    const numbers = NUMBERS.split(',').map(Number);
    expect(readOpenWait({ key: '7', value: [5, 6, 1, 1, 0, ...numbers] }, STACKS)).toMatchObject(stacks);
    expect(readSample({ key: `7,6,1,${NUMBERS}`, value: 3 }, STACKS)).toMatchObject(stacks);
  });
});
