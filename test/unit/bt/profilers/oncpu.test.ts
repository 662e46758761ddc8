import { expect, test } from 'vitest';
import { oncpu } from '../../../../bt/profilers/oncpu.ts';
import { readRows } from '../read-context.ts';

const [samples] = oncpu.maps as [(typeof oncpu.maps)[number]];

test('a sample with stacks is read', () => {
  const key = '1235,1234,2,\nffffffff8120\n,\n7f01\n55d2\n';
  expect(readRows(samples, [{ key, value: 17 }]).rows).toEqual([
    {
      ...{ pid: 1234, tid: 1235, generation: 2, count: 17 },
      ...{ kernel: ['ffffffff8120'], user: ['7f01', '55d2'] },
    },
  ]);
});

test('a sample without stacks is read', () => {
  expect(readRows(samples, [{ key: '5,5,1', value: '3' }]).rows).toEqual([
    { pid: 5, tid: 5, generation: 1, count: 3, kernel: [], user: [] },
  ]);
});

test.each([
  ['5,5', 1],
  ['a,5,1', 1],
  ['5,5,1x', 1],
  ['5,5,1', 'many'],
  ['5,5,1', -1],
])('%j: %j cannot be read', (key, value) => {
  expect(readRows(samples, [{ key, value }])).toEqual({ rows: [], unreadable: 1 });
});
