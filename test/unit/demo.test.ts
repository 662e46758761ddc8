import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { WORKLOADS } from '../../cli/demo/workloads.ts';

test('all built-in programs are described, and no others', () => {
  const names = [...readFileSync('cli/demo/demo.c', 'utf8').matchAll(/\{"([\w-]+)", \w+\}/g)].map(
    ([, name]) => name,
  );
  expect(WORKLOADS.map(({ name }) => name)).toEqual(names);
});

test('the explanation of a profile fits on three lines of a terminal with 100 columns', () => {
  const lines = WORKLOADS.flatMap(({ reading }) => reading);
  expect(lines.filter((line) => line.length > 98)).toEqual([]);
});
