import { describe, expect, test } from 'vitest';
import {
  readExtremes,
  readOpenWait,
  readUnseen,
  readWait,
  threadKey,
} from '../../../../bt/profilers/waits.ts';

const STATS = { count: 21, average: 50117207, total: 1052461357 };
/** Stacks as they stand in keys, by version of bpftrace; values of maps have real newlines. */
const STACKS: [string, string, string][] = [
  [
    '0.17',
    String.raw`\n\tffffffff821f94c3 schedule+35\n\tffffffff8220043e do_nanosleep+94\n`,
    String.raw`\n\t7fdb5baed503 0x7fdb5baed503 ([unknown])\n`,
  ],
  ['0.23', String.raw`\\nffffffff821f94c3\\nffffffff8220043e\\n`, String.raw`\\n7fdb5baed503\\n11e1a300\\n`],
  ['0.27', String.raw`\nffffffff821f94c3\nffffffff8220043e\n`, String.raw`\n7fdb5baed503\n11e1a300\n`],
];
const KERNEL = '\nffffffff821f94c3\nffffffff8220043e\n';
const USER = '\n7fdb5baed503\n11e1a300\n';

describe('a row of @waits', () => {
  test.each(STACKS)('has both stacks as bpftrace %s prints them', (_, kernel, user) => {
    const key = `27083,27083,1,1,${kernel},${user}`;
    expect(readWait({ key, value: STATS })).toEqual({
      pid: 27083,
      tid: 27083,
      generation: 1,
      state: 'S',
      sinceStart: false,
      made: false,
      count: 21,
      totalNs: 1052461357,
      kernel,
      user,
    });
  });

  test('the thread comes before the process in the key', () => {
    expect(readWait({ key: '21098,21008,7,1', value: STATS })).toMatchObject({ tid: 21098, pid: 21008 });
  });

  test.each([
    ['the user side', `1,1,1,1,${KERNEL},`, KERNEL, ''],
    ['the kernel side', `1,1,1,1,,${USER}`, '', USER],
    ['both sides', '1,1,1,1,,', '', ''],
    ['both sides, where the kernel kept none', '1,1,1,1,', '', ''],
    ['everything, as of --no-stacks', '1,1,1,1', '', ''],
  ])('stacks empty on %s', (_, key, kernel, user) => {
    expect(readWait({ key, value: STATS })).toMatchObject({ kernel, user });
  });

  test('a sum of nothing is none', () => {
    expect(readWait({ key: '1,1,1,1', value: { count: 0, average: 0, total: 7 } })).toBeUndefined();
  });

  test('commas in user frames do not move the border between the stacks', () => {
    const user = String.raw`\n\t7f0000001000 f(int, char)+7 (/opt/a,b/lib.so)\n`;
    expect(readWait({ key: `1,1,1,1,${KERNEL},${user}`, value: STATS })).toMatchObject({
      kernel: KERNEL,
      user,
    });
  });

  test.each([
    [0, 'R'],
    [0x100, 'R'],
    [1, 'S'],
    [2, 'D'],
    [4, 'T'],
    [8, 't'],
    [0x10, 'X'],
    [0x20, 'Z'],
    [0x40, 'P'],
    [0x80, 'I'],
    [0x402, 'D'],
    [0x8000, '?'],
  ])('state %i is %s', (state, letter) => {
    expect(readWait({ key: `1,1,1,${state}`, value: STATS })).toMatchObject({
      state: letter,
      sinceStart: false,
      made: false,
    });
  });

  test('a wait that was on at the start has no stack: the one printed is that of whoever named it', () => {
    expect(readWait({ key: `27083,27083,1,4096,${KERNEL},${USER}`, value: STATS })).toMatchObject({
      state: '?',
      sinceStart: true,
      made: false,
      kernel: '',
      user: '',
    });
  });

  test.each([
    '',
    '27083',
    '27083,27083,1',
    '27083,27083,1,',
    '27083,27083,1,S',
    '-1,27083,1,1',
    ',,,',
    '27083,27083,1,1;',
    '27083,27083,1,12345678901234567',
    '12345678901,27083,1,1',
  ])('the key %j cannot be read', (key) => {
    expect(readWait({ key, value: STATS })).toBeUndefined();
  });

  test('past 2^53 its numbers may be in quotes', () => {
    const value = { count: 2, average: '9007199254740993', total: '18014398509481986' };
    expect(readWait({ key: '1,1,1,1', value })).toMatchObject({ count: 2, totalNs: 2 ** 54 });
  });

  test.each([undefined, null, 7, [], {}, { count: 1 }, { count: '1f', total: 2 }, { count: 1, total: -2 }])(
    'the value %j cannot be read',
    (value) => {
      expect(readWait({ key: '1,1,1,1', value })).toBeUndefined();
    },
  );
});

describe('an entry of @off', () => {
  test('with stacks', () => {
    expect(
      readOpenWait({ key: '27083', value: [3952039677170, 27083, 1, 1, 5017, 90, 20, KERNEL, USER] }),
    ).toEqual({
      tid: 27083,
      pid: 27083,
      generation: 1,
      state: 'S',
      sinceStart: false,
      made: false,
      running: false,
      sinceNs: 3952039677170,
      ranNs: 5017,
      kernel: KERNEL,
      user: USER,
    });
  });

  test('without stacks', () => {
    expect(readOpenWait({ key: '27084', value: [3952039677170, 27083, 1, 2, 5017, 90, 20] })).toMatchObject({
      tid: 27084,
      pid: 27083,
      state: 'D',
      kernel: '',
      user: '',
    });
  });

  test('one that was named drops the stacks of who named it', () => {
    expect(
      readOpenWait({ key: '26938', value: [3947808823425, 26938, 1, 4096, 0, 0, 0, KERNEL, USER] }),
    ).toMatchObject({
      sinceStart: true,
      made: false,
      state: '?',
      kernel: '',
      user: '',
    });
  });

  test('of a thread that is on a CPU', () => {
    expect(
      readOpenWait({ key: '27084', value: [3952039677170, 27083, 1, 16384, 5017, 90, 20, '', ''] }),
    ).toMatchObject({
      running: true,
      sinceNs: 3952039677170,
      ranNs: 5017,
    });
  });

  test('of a clock past 2^53, in quotes', () => {
    expect(
      readOpenWait({ key: '10', value: ['9007199254740993', 10, 1, 128, 0, 0, 0, KERNEL, ''] }),
    ).toMatchObject({
      sinceNs: 2 ** 53,
      pid: 10,
      kernel: KERNEL,
    });
  });

  test.each([
    ['', [1, 1, 1, 1, 1, 9, 2]],
    ['a', [1, 1, 1, 1, 1, 9, 2]],
    ['1,1', [1, 1, 1, 1, 1, 9, 2]],
    ['12345678901', [1, 1, 1, 1, 1, 9, 2]],
    ['1', [1, 1, 1, 1, 1, 9]],
    ['1', ['x', 1, 1, 1, 1, 9, 2]],
    ['1', [-1, 1, 1, 1, 1, 9, 2]],
    ['1', undefined],
    ['1', [1, 1, 1, 1, 1, 9, 2, 5]],
    ['1', { since: 1 }],
    ['1', null],
  ])('%j: %j cannot be read', (key, value) => {
    expect(readOpenWait({ key, value })).toBeUndefined();
  });
});

describe('an entry of @extremes', () => {
  test('thread, process, longest and shortest', () => {
    expect(readExtremes({ key: '21098,21008', value: [20065187, 4] })).toEqual({
      tid: 21098,
      pid: 21008,
      longestNs: 20065187,
      shortestNs: 4,
    });
  });

  test('past 2^53 in quotes', () => {
    expect(readExtremes({ key: '21098,21008', value: ['9007199254740993', 1] })?.longestNs).toBe(2 ** 53);
  });

  test.each([
    ['21098', [5, 5]],
    ['21098,21008,7', [5, 5]],
    ['-1,21008', [5, 5]],
    ['21098,12345678901', [5, 5]],
    ['21098,21008', ['5f', 5]],
    ['21098,21008', [5, -5]],
    ['21098,21008', [5]],
    ['21098,21008', [5, 5, 5]],
    ['21098,21008', 5],
    ['21098,21008', undefined],
    ['21098,21008', null],
  ])('%j: %j cannot be read', (key, value) => {
    expect(readExtremes({ key, value })).toBeUndefined();
  });
});

test('a thread is named PID:TID', () => {
  expect(threadKey(21008, 21098)).toBe('21008:21098');
});

test.each([
  [{ key: '4711', value: 2 }, 2],
  [{ key: '4711', value: '2' }, 2],
  [{ key: '4711', value: '9007199254740993' }, 2 ** 53],
  [{ key: '4711', value: undefined }, undefined],
  [{ key: 'x', value: 2 }, undefined],
  [{ key: '12345678901', value: 2 }, undefined],
])('an entry of @unseen %j is %s', (entry, count) => {
  expect(readUnseen(entry)).toBe(count);
});

describe('a new thread', () => {
  test('waits without a stack, for that is of who made it, and is ready', () => {
    const none = { state: 'R', sinceStart: false, made: true, kernel: '', user: '' };
    expect(readWait({ key: `8,7,1,8192,${KERNEL},${USER}`, value: STATS })).toMatchObject(none);
    expect(readOpenWait({ key: '8', value: [5, 7, 1, 8192, 0, 0, 0, KERNEL, USER] })).toMatchObject(none);
  });
});
