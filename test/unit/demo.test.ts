import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { WORKLOADS } from '../../cli/demo/workloads.ts';

test('exactly the built-in programs are described', () => {
  const names = [...readFileSync('cli/demo/demo.c', 'utf8').matchAll(/\{"([\w-]+)", \w+\}/g)].map(
    ([, name]) => name,
  );
  expect(WORKLOADS.map(({ name }) => name)).toEqual(names);
});

test('how to read a profile takes three lines of a terminal with 100 columns', () => {
  const lines = WORKLOADS.flatMap(({ reading }) => reading);
  expect(lines.filter((line) => line.length > 98)).toEqual([]);
});
