import { expect, test } from 'vitest';
import { readSample } from '../../../../bt/profilers/oncpu.ts';

test('an entry with stacks', () => {
  const key = '1235,1234,2,\nffffffff8120\n,\n7f01\n55d2\n';
  expect(readSample({ key, value: 17 })).toEqual({
    ...{ pid: 1234, tid: 1235, generation: 2, count: 17 },
    ...{ kernel: '\nffffffff8120\n', user: '\n7f01\n55d2\n' },
  });
});

test('an entry without stacks', () => {
  expect(readSample({ key: '5,5,1', value: '3' })).toEqual({
    ...{ pid: 5, tid: 5, generation: 1, count: 3, kernel: '', user: '' },
  });
});

test.each([
  ['5,5', 1],
  ['a,5,1', 1],
  ['5,5,1x', 1],
  ['5,5,1', 'many'],
  ['5,5,1', -1],
])('%j: %j cannot be read', (key, value) => {
  expect(readSample({ key, value })).toBeUndefined();
});
