import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { glob } from 'zx';
import { budgetLines } from '../../../scripts/budget-lines.ts';
import { VERSION_INDEPENDENT, VERSIONS } from '../../../scripts/versions.ts';
import { BUDGETS } from '../../budgets.ts';

test('every test file except unit tests has a budget', async () => {
  const files = await glob('test/{browser,formats,live,toolchain,versions}/*.test.ts');
  expect(files.sort()).toEqual(Object.keys(BUDGETS));
});

test('the budgets leave 5 of the 45 minutes of .ci/run for packages, the build and the unit tests', () => {
  const times = (file: string) =>
    file.startsWith('test/live/') && !VERSION_INDEPENDENT.includes(file) ? VERSIONS.length : 1;
  const seconds = Object.entries(BUDGETS).reduce((sum, [file, budget]) => sum + times(file) * budget, 0);
  expect(seconds).toBeLessThan(40 * 60);
});

test('a line reports each file without a budget, or that took more than three times its budget', () => {
  const took = (file: string, seconds: number) => ({
    name: resolve(file),
    startTime: 1000,
    endTime: 1000 + seconds * 1000,
  });
  const files = [
    took('test/live/a.test.ts', 46),
    took('test/live/b.test.ts', 45),
    took('test/live/c.test.ts', 1),
  ];
  const budgets = { 'test/live/a.test.ts': 15, 'test/live/b.test.ts': 15 };
  expect(budgetLines([...files, took('test/unit/d.test.ts', 99)], budgets)).toEqual([
    'test/live/a.test.ts took 46 s, its budget is 15 s',
    'test/live/c.test.ts took 1 s, and has no budget in test/budgets.ts',
  ]);
});
