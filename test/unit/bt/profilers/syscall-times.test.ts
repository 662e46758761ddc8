import { describe, expect, test } from 'vitest';
import {
  COMPAT_BIT,
  callOf,
  readCallError,
  readCallInProgress,
  readCallTimes,
  readSlowest,
  splitState,
} from '../../../../bt/profilers/syscall-times.ts';

describe('the call in the state of a wait', () => {
  test.each([
    ['none', 1, { state: 1, call: undefined }],
    ['read, whose number is 0', 1 + 1 * 2 ** 16, { state: 1, call: { nr: 0, compat: false } }],
    ['write, in state D', 2 + 2 * 2 ** 16, { state: 2, call: { nr: 1, compat: false } }],
    ['a 32-bit call', 1 + (COMPAT_BIT + 4) * 2 ** 16, { state: 1, call: { nr: 3, compat: true } }],
    ['none, in the state of a thread just named', 0x1000, { state: 0x1000, call: undefined }],
  ])('%s', (_, word, expected) => {
    expect(splitState(word)).toEqual(expected);
  });

  test('numbers of 32-bit calls may be negative, too', () => {
    expect(callOf(-1)).toEqual({ nr: -1, compat: false });
    expect(callOf(COMPAT_BIT - 1)).toEqual({ nr: -1, compat: true });
  });
});

describe('entries', () => {
  test('of times', () => {
    const value = { count: 3, average: 20, total: 60 };
    expect(readCallTimes({ key: '2,1', value })).toEqual({ nr: 1, compat: false, count: 3, totalNs: 60 });
    expect(readSlowest({ key: '1,0', value: '25' })).toEqual({ nr: 0, compat: false, ns: 25 });
    expect(readCallError({ key: '258,2', value: 7 })).toEqual({ nr: 257, compat: false, errno: 2, count: 7 });
  });

  test('of calls in progress', () => {
    expect(readCallInProgress({ key: '77', value: [5000, 231] })).toEqual({
      ...{ tid: 77, nr: 230, compat: false, sinceNs: 5000 },
    });
  });

  test.each(['', '2', 'a,1', '2,1,0', '-1,0', '2,123456'])('the key %j cannot be read', (key) => {
    const value = { count: 3, average: 20, total: 60 };
    expect([
      readCallTimes({ key, value }),
      readSlowest({ key, value: 5 }),
      readCallError({ key, value: 5 }),
    ]).toEqual([...[undefined, undefined, undefined]]);
  });

  test('values that cannot be are none', () => {
    expect(readCallTimes({ key: '2,1', value: { count: 0, total: 5 } })).toBeUndefined();
    expect(readSlowest({ key: '2,1', value: -5 })).toBeUndefined();
    expect(readCallError({ key: '2,4096', value: 5 })).toBeUndefined();
    expect(readCallInProgress({ key: '77', value: [5000] })).toBeUndefined();
    expect(readCallInProgress({ key: 'x', value: [5000, 2] })).toBeUndefined();
  });
});
