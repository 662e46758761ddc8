import { describe, expect, test } from 'vitest';
import {
  extremes,
  off,
  ownStacks,
  unseen,
  waitState,
  waits,
} from '../../../../../bt/profilers/offcpu/off-maps.ts';
import { COMPAT_BIT } from '../../../../../metrics/syscall-name.ts';
import type { MapEntry } from '../../../../../parsers/entries.ts';
import { readRows } from '../../read-context.ts';

/** One row with its state as a word; undefined if it cannot be read. */
function readWait(entry: MapEntry) {
  const [row] = readRows(waits, [entry]).rows;
  return row && { ...row, ...waitState(row.state) };
}

function readOpenWait(entry: MapEntry) {
  const [row] = readRows(off, [entry]).rows;
  return row && { ...row, ...waitState(row.state) };
}

function readExtremes(entry: MapEntry) {
  return readRows(extremes, [entry]).rows[0];
}

function readUnseen(entry: MapEntry) {
  return readRows(unseen, [entry]).rows[0]?.count;
}

const STATS = { count: 21, average: 50117207, total: 1052461357 };
/** Stacks as printed in keys, by version of bpftrace. Values of maps have real newlines. */
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
const KERNEL_ADDRESSES = ['ffffffff821f94c3', 'ffffffff8220043e'];
const USER_ADDRESSES = ['7fdb5baed503', '11e1a300'];

describe('a row of @waits', () => {
  test.each(STACKS)('has both stacks as printed by bpftrace %s', (version, kernel, user) => {
    const key = `27083,27083,1,1,${kernel},${user}`;
    expect(readWait({ key, value: STATS })).toEqual({
      pid: 27083,
      tid: 27083,
      generation: 1,
      state: 'S',
      sinceStart: false,
      isNew: false,
      running: false,
      call: undefined,
      count: 21,
      total: 1052461357,
      kernel: KERNEL_ADDRESSES,
      user: USER_ADDRESSES.slice(0, version === '0.17' ? 1 : 2),
    });
  });

  test('has the thread before the process in its key', () => {
    expect(readWait({ key: '21098,21008,7,1', value: STATS })).toMatchObject({ tid: 21098, pid: 21008 });
  });

  test.each([
    ['the user side', `1,1,1,1,${KERNEL},`, KERNEL_ADDRESSES, []],
    ['the kernel side', `1,1,1,1,,${USER}`, [], USER_ADDRESSES],
    ['both sides', '1,1,1,1,,', [], []],
    ['both sides, if the kernel saved none', '1,1,1,1,', [], []],
    ['everything, as of --no-stacks', '1,1,1,1', [], []],
  ])('has empty stacks if missing on %s', (_, key, kernel, user) => {
    expect(readWait({ key, value: STATS })).toMatchObject({ kernel, user });
  });

  test('is not made from an empty sum', () => {
    expect(readWait({ key: '1,1,1,1', value: { count: 0, average: 0, total: 7 } })).toBeUndefined();
  });

  test('is split correctly between its stacks if user frames contain commas', () => {
    const user = String.raw`\n\t7f0000001000 f(int, char)+7 (/opt/a,b/lib.so)\n`;
    expect(readWait({ key: `1,1,1,1,${KERNEL},${user}`, value: STATS })).toMatchObject({
      kernel: KERNEL_ADDRESSES,
      user: ['7f0000001000'],
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
      isNew: false,
    });
  });

  test('has no stack if the wait began before the start: the printed one belongs to the thread that named it', () => {
    const row = readWait({ key: `27083,27083,1,4096,${KERNEL},${USER}`, value: STATS });
    expect(row).toMatchObject({ state: '?', sinceStart: true, isNew: false });
    const stacks = { kernel: [1, 2], user: [3] };
    expect(ownStacks(waitState(4096), stacks)).toEqual({ kernel: [], user: [] });
    expect(ownStacks(waitState(1), stacks)).toEqual(stacks);
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

  test('may have quoted numbers past 2^53', () => {
    const value = { count: 2, average: '9007199254740993', total: '18014398509481986' };
    expect(readWait({ key: '1,1,1,1', value })).toMatchObject({ count: 2, total: 2 ** 54 });
  });

  test.each([undefined, null, 7, [], {}, { count: 1 }, { count: '1f', total: 2 }, { count: 1, total: -2 }])(
    'the value %j cannot be read',
    (value) => {
      expect(readWait({ key: '1,1,1,1', value })).toBeUndefined();
    },
  );
});

describe('an entry of @off', () => {
  test('is read with stacks', () => {
    expect(
      readOpenWait({ key: '27083', value: [3952039677170, 27083, 1, 1, 5017, 90, 20, KERNEL, USER] }),
    ).toEqual({
      tid: 27083,
      pid: 27083,
      generation: 1,
      state: 'S',
      sinceStart: false,
      isNew: false,
      running: false,
      call: undefined,
      since: 3952039677170,
      ran: 5017,
      longest: 90,
      shortest: 20,
      kernel: KERNEL_ADDRESSES,
      user: USER_ADDRESSES,
    });
  });

  test('is read without stacks', () => {
    expect(readOpenWait({ key: '27084', value: [3952039677170, 27083, 1, 2, 5017, 90, 20] })).toMatchObject({
      tid: 27084,
      pid: 27083,
      state: 'D',
      kernel: [],
      user: [],
    });
  });

  test('is read for a named thread', () => {
    expect(
      readOpenWait({ key: '26938', value: [3947808823425, 26938, 1, 4096, 0, 0, 0, KERNEL, USER] }),
    ).toMatchObject({
      sinceStart: true,
      isNew: false,
      state: '?',
    });
  });

  test('is read for a thread that is on a CPU', () => {
    expect(
      readOpenWait({ key: '27084', value: [3952039677170, 27083, 1, 16384, 5017, 90, 20, '', ''] }),
    ).toMatchObject({
      running: true,
      since: 3952039677170,
      ran: 5017,
    });
  });

  test('is read with a quoted clock past 2^53', () => {
    expect(
      readOpenWait({ key: '10', value: ['9007199254740993', 10, 1, 128, 0, 0, 0, KERNEL, ''] }),
    ).toMatchObject({
      since: 2 ** 53,
      pid: 10,
      kernel: KERNEL_ADDRESSES,
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
    ['1', [1, 2 ** 32, 1, 1, 1, 9, 2]],
    ['1', [1, 1, 1, 1, 1, 9, 2, 5]],
    ['1', { since: 1 }],
    ['1', null],
  ])('%j: %j cannot be read', (key, value) => {
    expect(readOpenWait({ key, value })).toBeUndefined();
  });
});

describe('an entry of @extremes', () => {
  test('has thread, process, longest and shortest wait', () => {
    expect(readExtremes({ key: '21098,21008', value: [20065187, 4] })).toEqual({
      tid: 21098,
      pid: 21008,
      longest: 20065187,
      shortest: 4,
    });
  });

  test('may have quoted numbers past 2^53', () => {
    expect(readExtremes({ key: '21098,21008', value: ['9007199254740993', 1] })?.longest).toBe(2 ** 53);
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
  test("is ready, and waits without a stack, because the printed one is its creator's", () => {
    const state = waitState(8192);
    expect(state).toMatchObject({ state: 'R', sinceStart: false, isNew: true, running: false });
    expect(ownStacks(state, { kernel: [1], user: [2] })).toEqual({ kernel: [], user: [] });
  });
});

describe('the call encoded in the state of a wait', () => {
  test.each([
    ['none', 1, { state: 'S', call: undefined }],
    ['read, whose number is 0', 1 + 1 * 2 ** 16, { state: 'S', call: { nr: 0, compat: false } }],
    ['write, in state D', 2 + 2 * 2 ** 16, { state: 'D', call: { nr: 1, compat: false } }],
    ['a 32-bit call', 1 + (COMPAT_BIT + 4) * 2 ** 16, { state: 'S', call: { nr: 3, compat: true } }],
    ['none, in the state of a thread just named', 0x1000, { sinceStart: true, call: undefined }],
  ])('%s', (_, word, expected) => {
    expect(waitState(word)).toMatchObject(expected);
  });
});
