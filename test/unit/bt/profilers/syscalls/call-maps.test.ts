import { describe, expect, test } from 'vitest';
import { errors, inProgress, slowest, times } from '../../../../../bt/profilers/syscalls/call-maps.ts';
import { COMPAT_BIT, callOf } from '../../../../../metrics/syscall-name.ts';
import { readRows } from '../../read-context.ts';

const UNREADABLE = { rows: [], unreadable: 1 };

test('numbers of 32-bit calls may also be negative', () => {
  expect(callOf(-1)).toEqual({ nr: -1, compat: false });
  expect(callOf(COMPAT_BIT - 1)).toEqual({ nr: -1, compat: true });
});

describe('an entry', () => {
  test('of times is read', () => {
    const value = { count: 3, average: 20, total: 60 };
    expect(readRows(times, [{ key: '2,1', value }]).rows).toEqual([
      { call: { nr: 1, compat: false }, cpu: 1, count: 3, total: 60 },
    ]);
    expect(readRows(slowest, [{ key: '1,0', value: '25' }]).rows).toEqual([
      { call: { nr: 0, compat: false }, cpu: 0, most: 25 },
    ]);
    expect(readRows(errors, [{ key: '258,2', value: 7 }]).rows).toEqual([
      { call: { nr: 257, compat: false }, errno: 2, count: 7 },
    ]);
  });

  test('of calls in progress is read', () => {
    expect(readRows(inProgress, [{ key: '77', value: [5000, 231] }]).rows).toEqual([
      { tid: 77, call: { nr: 230, compat: false }, since: 5000 },
    ]);
  });

  test.each(['', '2', 'a,1', '2,1,0', '-1,0', '2,123456'])('with the key %j cannot be read', (key) => {
    const value = { count: 3, average: 20, total: 60 };
    expect(readRows(times, [{ key, value }])).toEqual(UNREADABLE);
    expect(readRows(slowest, [{ key, value: 5 }])).toEqual(UNREADABLE);
    expect(readRows(errors, [{ key, value: 5 }])).toEqual(UNREADABLE);
  });

  test('with impossible values cannot be read', () => {
    expect(readRows(times, [{ key: '2,1', value: { count: 0, total: 5 } }])).toEqual(UNREADABLE);
    expect(readRows(slowest, [{ key: '2,1', value: -5 }])).toEqual(UNREADABLE);
    expect(readRows(errors, [{ key: '2,4096', value: 5 }])).toEqual(UNREADABLE);
    expect(readRows(inProgress, [{ key: '77', value: [5000] }])).toEqual(UNREADABLE);
    expect(readRows(inProgress, [{ key: '77', value: [5000, 2, 'a stack'] }])).toEqual(UNREADABLE);
    expect(readRows(inProgress, [{ key: 'x', value: [5000, 2] }])).toEqual(UNREADABLE);
  });
});
