import { describe, expect, test } from 'vitest';
import type { Facts } from '../../../metrics/facts.ts';
import { SLEEP_LOOKUPS } from '../sleep-recording.ts';
import type { Lookups } from '../symbol-answers.ts';
import { textTable } from './frame-tables.ts';

/** Each page of this mapping is a function. */
const MAPS = '7f0000001000-7f0000008000 r-xp 00001000 fe:00 1   /a.so\n';
const PAGE = 0x1000;
/** A caller in the function of that page, and the word that follows in a stack without frame pointers. */
const at = (page: number) => `7f000000${page}010`;
const NO_CODE = '5f5e100';
/** The word with which bpftrace ends a stack that it cannot unwind by DWARF, after subtracting 1. */
const LOST = 'f'.repeat(16);

interface Given {
  /** Names by page, from 1. */
  readonly names?: readonly (string | null)[];
  readonly frameless?: Lookups['frameless'];
  readonly uncalled?: Lookups['uncalled'];
  readonly unwound?: Pick<Facts, 'dwarfPids' | 'dwarfGeneration' | 'stackDepth'>;
  readonly maps?: Record<string, string>;
}

function tableOf({
  names,
  frameless = () => false,
  uncalled = () => false,
  unwound,
  maps = { '1:1': MAPS, '1:2': MAPS },
}: Given = {}) {
  const user: Lookups['user'] = (_, offset) => {
    const page = Math.floor(offset / PAGE);
    const symbol = names ? names[page - 1] : `f${page}`;
    return symbol ? { symbol, offset: offset - page * PAGE } : undefined;
  };
  return textTable({ ...SLEEP_LOOKUPS, user, frameless, uncalled }, maps, unwound);
}

const isIncomplete = (words: readonly string[], given?: Given) =>
  tableOf(given).user(words.join('\n'), 1, 1).incomplete;

describe('a stack', () => {
  test('lacks callers if it is cut before an outermost function', () => {
    expect(isIncomplete([at(1), at(2), NO_CODE])).toBe(true);
    expect(isIncomplete([at(1), NO_CODE])).toBe(true);
    expect(isIncomplete([at(1), NO_CODE], { names: [null] })).toBe(true);
  });

  test('ends before the start of a function, which no call precedes', () => {
    const table = tableOf({ uncalled: (_, offset) => offset === 2 * PAGE + 0xf });
    expect(table.user([at(1), at(2), at(3)].join('\n'), 1, 1)).toMatchObject({ cut: 2, incomplete: true });
    // There the thread was, and no word of its stack.
    expect(table.user([at(2), at(3)].join('\n'), 1, 1)).toMatchObject({ cut: 0, incomplete: false });
  });

  test('is complete if it ends by itself', () => {
    expect(isIncomplete([at(1), at(2)])).toBe(false);
    expect(isIncomplete([at(1), at(2), '0', NO_CODE])).toBe(false);
    expect(isIncomplete([at(1)], { names: [null] })).toBe(false);
  });

  test.each([
    'main',
    '_start',
    'start_thread',
    'clone',
    'clone3',
    '__clone',
    '__clone3',
    '__libc_start_main',
    '__libc_start_call_main',
    '__libc_start_main_impl',
    'runtime.goexit',
    'runtime.goexit.abi0',
    'runtime.mstart',
  ])('is complete if it is cut after %s', (name) => {
    expect(isIncomplete([at(1), at(2), NO_CODE], { names: ['f', name] })).toBe(false);
    expect(isIncomplete([at(1), at(2), at(3), NO_CODE], { names: ['f', name, null] })).toBe(false);
    expect(isIncomplete([at(1), NO_CODE], { names: [name] })).toBe(false);
  });

  test.each([
    'main.main',
    'domain',
    'Main',
    'start',
    '__libc_read',
    'cloned',
    'start_thread_pool',
    'runtime.main',
  ])('lacks callers if it is cut after %s', (name) => {
    expect(isIncomplete([at(1), at(2), NO_CODE], { names: ['f', name] })).toBe(true);
  });

  test('lacks callers whatever words follow the cut', () => {
    expect(isIncomplete([at(1), NO_CODE, at(2)], { names: ['f', 'main'] })).toBe(true);
  });

  test.each(['', '\n', '0'])('is complete without frames: %j', (text) => {
    expect(isIncomplete([text], { frameless: () => true })).toBe(false);
  });

  test('is complete if the mappings of its process are unknown', () => {
    expect(isIncomplete([at(1), NO_CODE], { maps: {} })).toBe(false);
  });
});

describe('a first function without a frame pointer', () => {
  test('hides its caller, whether the stack is cut or not', () => {
    const given: Given = { names: ['f', 'main'], frameless: () => true };
    expect(isIncomplete([at(1), at(2)], given)).toBe(true);
    expect(isIncomplete([at(1), at(2), NO_CODE], given)).toBe(true);
  });

  test('is requested by its mapping and offset, unlike other functions', () => {
    const table = tableOf();
    expect(table.user([at(1), at(2), at(3)].join('\n'), 1, 1).incomplete).toBe(false);
    const { leaves } = table.requests;
    expect(leaves.map(({ mapping, fileOffset }) => [mapping.path, fileOffset])).toEqual([
      ['/a.so', PAGE + 0x10],
    ]);
  });

  test('is not requested outside of mappings', () => {
    const frameless = () => true;
    expect(isIncomplete([NO_CODE, at(2)], { frameless })).toBe(false);
    expect(isIncomplete([at(1), at(2)], { frameless, maps: {} })).toBe(false);
  });

  test('does not affect the same stack of another function', () => {
    const table = tableOf({ frameless: (_, offset) => offset < 2 * PAGE });
    const of = (...words: string[]) => table.user(words.join('\n'), 1, 1).incomplete;
    expect([of(at(1), at(3)), of(at(2), at(3)), of(at(2), at(1))]).toEqual([true, false, false]);
  });
});

describe('a stack that was unwound by DWARF', () => {
  const DWARF = { dwarfPids: [1, 7], dwarfGeneration: 1, stackDepth: 127 };

  test('contains call addresses, which become return addresses', () => {
    const table = tableOf({ unwound: DWARF });
    table.user(['7f0000001000', '7f0000002fff', '7f0000003000'].join('\n'), 1, 1);
    expect(table.frames.map(({ address, symbol, offset }) => [address, symbol, offset])).toEqual([
      ['0x7f0000001000', 'f1', 0],
      ['0x7f0000003000', 'f2', 0x1000],
      ['0x7f0000003001', 'f3', 1],
    ]);
    expect(table.requests.user.map(({ fileOffset }) => fileOffset)).toEqual([0x1000, 0x2fff, 0x3000]);
  });

  test('requests the call address itself from a runtime', () => {
    const jit = () => ({ symbol: 'JS:f', offset: 16, module: '/tmp/perf-1.map' });
    const table = textTable({ ...SLEEP_LOOKUPS, jit }, { '1:1': MAPS }, DWARF);
    table.user('6000\n6100', 1, 1);
    expect(table.requests.compiled.map(({ address }) => address)).toEqual([0x6000n, 0x6100n]);
    expect(table.frames.map(({ address, offset }) => [address, offset])).toEqual([
      ['0x6000', 16],
      ['0x6101', 17],
    ]);
  });

  test('has the same frames as one by frame pointers, whose addresses are one byte higher', () => {
    const table = tableOf({ unwound: DWARF });
    expect(table.user(`${at(1)}\n7f000000200f`, 1, 1).stack).toEqual([0, 1]);
    expect(table.user(`${at(1)}\n${at(2)}`, 1, 2).stack).toEqual([0, 1]);
    expect(table.frames).toHaveLength(2);
  });

  test.each([
    ['a requested process, and of the program that it ran', [7, 1], 1, 1, true],
    ['another process', [7], 1, 1, false],
    ['a later program of it', [1], 1, 2, false],
    ['a command that was held at its entry', [1], 2, 2, true],
    ['what ran before that', [1], 2, 1, false],
  ])('is that of %s: %j, generation %i, in %i: %s', (_, dwarfPids, dwarfGeneration, generation, dwarf) => {
    const table = tableOf({ unwound: { dwarfPids, dwarfGeneration, stackDepth: 127 } });
    table.user(`${at(1)}\n${at(2)}`, 1, generation);
    expect(table.frames[1]?.address).toBe(dwarf ? '0x7f0000002011' : '0x7f0000002010');
  });

  test('lacks callers if the unwinder stopped before the outermost function', () => {
    const table = tableOf({ unwound: DWARF, names: ['f', 'g', 'main'] });
    const of = (...words: string[]) => table.user(words.join('\n'), 1, 1);
    expect(of(at(1), at(2), LOST)).toEqual({ stack: [0, 1], cut: 1, incomplete: true });
    expect(of(at(1), at(2), at(3), LOST)).toEqual({ stack: [0, 1, 2], cut: 1, incomplete: false });
    expect(of(at(1), at(2))).toEqual({ stack: [0, 1], cut: 0, incomplete: false });
  });

  test('does not request whether its first function has a frame pointer', () => {
    const table = tableOf({ unwound: DWARF });
    table.user(`${at(1)}\n${at(2)}`, 1, 1);
    expect(table.requests.leaves).toEqual([]);
    table.user(`${at(1)}\n${at(2)}`, 1, 2);
    expect(table.requests.leaves).toHaveLength(1);
  });

  test('needs no frame pointers, even in a function for which other stacks need one', () => {
    const table = tableOf({ unwound: DWARF, frameless: () => true });
    const of = (generation: number) => table.user(`${at(1)}\n${at(2)}`, 1, generation).incomplete;
    expect([of(2), of(1)]).toEqual([true, false]);
  });
});
