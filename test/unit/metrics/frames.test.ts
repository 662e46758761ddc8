import { describe, expect, test } from 'vitest';
import type { Frame } from '../../../metrics/fields.ts';
import type { MappingTexts } from '../../../metrics/mappings.ts';
import { parseKernelSymbols } from '../../../parsers/kernel-symbols.ts';
import { SLEEP_LOOKUPS, SLEEP_MAPS } from '../sleep-recording.ts';
import type { Lookups } from '../symbol-answers.ts';
import { textTable } from './frame-tables.ts';

const LIBC = '/usr/lib/x86_64-linux-gnu/libc.so.6';
/** A user stack of sleep in perf mode and in raw mode; sleep has no frame pointers. */
const USER = '\n\t7f195c57f503 0x7f195c57f503 ([unknown])\n\t5f5e100 0x5f5e100 ([unknown])\n';
const RAW_USER = '\n7f195c57f503\n5f5e100\n';
const KERNEL = '\nffffffff821f94c3\nffffffff8220043e\n';
const UNKNOWN = { symbol: null, module: null, offset: null };

function tableOf(lookups: Partial<Lookups> = {}, maps: MappingTexts = { '26857:1': SLEEP_MAPS }) {
  return textTable({ ...SLEEP_LOOKUPS, ...lookups }, maps);
}

describe('user frames', () => {
  test('have the name of their function and the offset in it', () => {
    const table = tableOf();
    expect(table.user('\n7f195c57f503\n', 26857, 1)).toMatchObject({ stack: [0], cut: 0 });
    expect(table.frames).toEqual([
      { address: '0x7f195c57f503', symbol: 'clock_nanosleep', module: LIBC, offset: 35, mapping: 0 },
    ]);
  });

  test('without a name have the offset in their file', () => {
    const table = tableOf({ user: () => undefined });
    table.user('\n7f195c57f503\n7f195c57f504\n', 26857, 1);
    expect(table.frames).toEqual([
      { address: '0x7f195c57f503', symbol: null, module: LIBC, offset: 849155, mapping: 0 },
      { address: '0x7f195c57f504', symbol: null, module: LIBC, offset: 849156, mapping: 0 },
    ]);
  });

  test('are requested once each, with their mapping and the offset in its file', () => {
    const table = tableOf();
    for (const _ of [1, 2]) table.user('\n55ed5ddf1000\n7f195c57f503\n', 26857, 1);
    expect(
      table.requests.user.map(({ mapping, fileOffset }) => [mapping.file, mapping.path, fileOffset]),
    ).toEqual([
      ['fe:00 260875', '/usr/bin/sleep', 0x2000],
      ['fe:00 338951', LIBC, 849155 - 1],
    ]);
  });

  test('at the same address in another program of the process have another mapping', () => {
    const table = tableOf();
    const stackOf = (pid: number, generation: number) => table.user('7f195c57f503', pid, generation).stack;
    expect([stackOf(26857, 1), stackOf(26857, 2), stackOf(26858, 1)]).toEqual([[0], [1], [1]]);
    expect(table.frames[1]?.module).toBeNull();
  });

  test('do not use the names that bpftrace prints, so they are the same for every version', () => {
    const table = tableOf();
    table.user('\n\t7f195c57f503 usleep+5 (/another/libc.so)\n', 26857, 1);
    expect(table.frames).toMatchObject([{ symbol: 'clock_nanosleep', module: LIBC, offset: 35 }]);
  });

  test('in anonymous memory have no module, but an offset', () => {
    const table = tableOf({}, { '1:1': '7f0000001000-7f0000002000 rwxp 00000000 00:00 0 \n' });
    table.user('7f0000001010', 1, 1);
    expect(table.frames[0]).toEqual({ address: '0x7f0000001010', symbol: null, module: null, offset: 16 });
  });

  test('in overlapping mappings belong to the latest, which comes first', () => {
    const maps = `\
7f0000001000-7f0000002000 r-xp 00000000 fe:00 2   /new.so
7f0000000000-7f0000008000 r-xp 00000000 fe:00 1   /old.so
`;
    const table = tableOf({}, { '1:1': maps });
    table.user('7f0000001010\n7f0000003010', 1, 1);
    expect(table.frames.map((frame) => frame.module)).toEqual(['/new.so', '/old.so']);
  });
});

/** Two adjacent functions, at the start and in the middle of a mapping. */
describe('a frame', () => {
  const maps = { '1:1': '7f0000001000-7f0000003000 r-xp 00001000 fe:00 1   /a.so\n' };
  const user: Lookups['user'] = (_, offset) =>
    offset < 0x1800
      ? { symbol: 'low', offset: offset - 0x1000 }
      : { symbol: 'high', offset: offset - 0x1800 };
  const kernel: Lookups['kernel'] = (address) =>
    address < 'ffffffff81000800'
      ? { symbol: 'klow', offset: Number(BigInt(`0x${address}`) - 0xffffffff81000000n) }
      : { symbol: 'khigh', offset: Number(BigInt(`0x${address}`) - 0xffffffff81000800n), module: '[ext4]' };
  const named = (frames: readonly Frame[]) => frames.map(({ symbol, offset }) => [symbol, offset]);

  test.each([
    ['leaf', '7f0000001000', 'low', 0],
    ['leaf', '7f00000017ff', 'low', 0x7ff],
    ['leaf', '7f0000001800', 'high', 0],
    ['leaf', '7f0000002fff', 'high', 0x17ff],
    ['caller', '7f0000001001', 'low', 1],
    ['caller', '7f0000001800', 'low', 0x800],
    ['caller', '7f0000001801', 'high', 1],
    ['caller', '7f0000003000', 'high', 0x1800],
  ])(
    "that is a %s at %s is in %s: a caller's address is the one after its call",
    (what, at, symbol, offset) => {
      const table = tableOf({ user }, maps);
      table.user(what === 'leaf' ? at : `7f0000001400\n${at}`, 1, 1);
      expect(named(table.frames).at(-1)).toEqual([symbol, offset]);
      expect(table.frames.at(-1)?.address).toBe(`0x${at}`);
    },
  );

  test.each([
    ['leaf', 'ffffffff810007ff', 'klow', 0x7ff],
    ['leaf', 'ffffffff81000800', 'khigh', 0],
    ['caller', 'ffffffff81000800', 'klow', 0x800],
    ['caller', 'ffffffff81000801', 'khigh', 1],
  ])('that is a %s of the kernel at %s is in %s', (what, at, symbol, offset) => {
    const table = tableOf({ kernel });
    table.kernel(what === 'leaf' ? at : `ffffffff81000400\n${at}`);
    expect(named(table.frames).at(-1)).toEqual([symbol, offset]);
  });

  test('at one address differs for a leaf and a caller, and each has one frame', () => {
    const table = tableOf({ user }, maps);
    expect(table.user('7f0000001800\n7f0000001800\n7f0000001800', 1, 1).stack).toEqual([0, 1, 1]);
    expect(table.user('7f0000001800', 1, 1).stack).toEqual([0]);
    expect(named(table.frames)).toEqual([
      ['high', 0],
      ['low', 0x800],
    ]);
  });

  test('at one address is the same frame for a leaf and a caller in the same function', () => {
    const table = tableOf({ user }, maps);
    expect(table.user('7f0000001400\n7f0000001400', 1, 1).stack).toEqual([0, 0]);
  });
});

describe('a stack ends before the first word that is not code', () => {
  test.each([USER, RAW_USER, `${RAW_USER}0\n`])('%j', (text) => {
    const table = tableOf();
    expect(table.user(text, 26857, 1)).toMatchObject({ stack: [0], cut: 1 });
    expect(table.frames.map((frame) => frame.address)).toEqual(['0x7f195c57f503']);
  });

  test.each([
    ['all words after it are counted, code or not', '7f195c57f503\n5f5e100\n7f195c57f503\n8', [0], 3],
    ['code before it is kept', '7f195c57f503\n7f195c4d6001\n5f5e100\n5f5e100', [0, 1], 2],
    [
      'the start of a mapping is not a return address in it',
      '7f195c57f503\n7f195c4d6000\n7f195c4d6001',
      [0],
      2,
    ],
    ['the end of a mapping can be a return address', '7f195c57f503\n7f195c62b000', [0, 1], 0],
    ['an address past its end is not', '7f195c57f503\n7f195c62b001', [0], 1],
    ['address 0 ends the stack and is not counted', '7f195c57f503\n0\n5f5e100', [0], 0],
  ])('%s', (_, text, stack, cut) => {
    expect(tableOf().user(text, 26857, 1)).toMatchObject({ stack, cut });
  });

  test('the leaf is always kept', () => {
    const table = tableOf();
    expect(table.user('7f195c62b000\n7f195c57f503\n5f5e100', 26857, 1)).toMatchObject({
      stack: [0, 1],
      cut: 1,
    });
    expect(table.frames[0]).toEqual({ address: '0x7f195c62b000', ...UNKNOWN });
  });

  test.each<[string, MappingTexts]>([
    ['no mappings are known', {}],
    [
      'only mappings of other processes and programs are known',
      { '26857:2': SLEEP_MAPS, '26858:1': SLEEP_MAPS },
    ],
    ['no mapping is executable', { '26857:1': '' }],
  ])('no stack is cut if %s', (_, maps) => {
    const table = tableOf({}, maps);
    expect(table.user(USER, 26857, 1)).toMatchObject({ stack: [0, 1], cut: 0 });
    expect(table.frames).toEqual([
      { address: '0x7f195c57f503', ...UNKNOWN },
      { address: '0x5f5e100', ...UNKNOWN },
    ]);
  });

  test('the same words are cut in one process, and kept in another without known mappings', () => {
    const table = tableOf();
    expect(table.user(USER, 26857, 1).cut).toBe(1);
    expect(table.user(USER, 26858, 1).cut).toBe(0);
    expect(table.user(USER, 26857, 1).cut).toBe(1);
  });

  test('kernel stacks are not cut', () => {
    expect(tableOf().kernel('ffffffff821f94c3\n5f5e100')).toEqual([0, 1]);
  });
});

describe('kernel frames', () => {
  const { find } = parseKernelSymbols(
    'ffffffff821f94a0 T schedule\nffffffffc0401081 t ext4_read_bh\t[ext4]\n',
  );

  test('have the names from /proc/kallsyms, and belong to the kernel or to a module', () => {
    const table = tableOf({ kernel: find });
    table.kernel('\nffffffff821f94c3\nffffffffc0401123\n');
    expect(table.frames).toEqual([
      { address: '0xffffffff821f94c3', symbol: 'schedule', module: '[kernel]', offset: 35 },
      { address: '0xffffffffc0401123', symbol: 'ext4_read_bh', module: '[ext4]', offset: 162 },
    ]);
  });

  test('do not use the names that bpftrace prints', () => {
    const table = tableOf();
    table.kernel('\n\tffffffff821f94c3 an_alias_of_schedule+35\n');
    expect(table.frames.map((frame) => frame.symbol)).toEqual(['schedule']);
  });

  test.each(['', '0000000000000000 T schedule\n'])('have no names without symbols: %j', (kallsyms) => {
    const table = tableOf({ kernel: parseKernelSymbols(kallsyms).find });
    table.kernel('\n\tffffffff821f94c3 schedule+35\n');
    expect(table.frames).toEqual([
      { address: '0xffffffff821f94c3', symbol: null, module: '[kernel]', offset: null },
    ]);
  });

  test('read with their names keep them', () => {
    const table = tableOf({ kernel: () => undefined });
    const place = { symbol: 'futex_do_wait', offset: 70 };
    expect(
      table.named([
        { address: '0xffffffff8143f416', ...place },
        { address: '0x0', ...place, module: '[ext4]' },
      ]),
    ).toEqual([0, 1]);
    expect(table.frames).toEqual([
      { address: '0xffffffff8143f416', symbol: 'futex_do_wait', module: '[kernel]', offset: 70 },
      { address: '0x0', symbol: 'futex_do_wait', module: '[ext4]', offset: 70 },
    ]);
  });
});

test('equal frames are one frame, and a stack keeps its order', () => {
  const table = tableOf();
  expect(table.kernel(KERNEL)).toEqual([0, 1]);
  expect(table.kernel('\nffffffff8220043e\nffffffff821f94c3\n')).toEqual([1, 0]);
  expect(table.frames).toHaveLength(2);
});

test('the same offset in two files is two frames', () => {
  const at = (path: string) => `7f0000001000-7f0000002000 r-xp 00000000 fe:00 1 ${path}\n`;
  const table = tableOf({}, { '1:1': at('/a.so'), '2:1': at('/b.so') });
  expect(table.user('7f0000001010', 1, 1).stack).toEqual([0]);
  expect(table.user('7f0000001010', 2, 1).stack).toEqual([1]);
});

test('a kernel frame from /proc equals the one that bpftrace prints', () => {
  const table = tableOf();
  table.kernel(KERNEL);
  const places = [{ address: '0xffffffff8220043e', symbol: 'do_nanosleep', offset: 94 }];
  expect(table.named(places)).toEqual([1]);
});

test.each(['', '\n', String.raw`\\n`, '\n0\n'])('the empty stack %j has no frames', (text) => {
  const table = tableOf();
  expect(table.user(text, 26857, 1)).toMatchObject({ stack: [], cut: 0 });
  expect(table.kernel(text)).toEqual([]);
  expect(table.named([])).toEqual([]);
  expect(table.frames).toEqual([]);
});

describe('readable names', () => {
  const code = '7f0000001000-7f0000002000 r-xp 00000000 fe:00 1 /a\n';
  const names: Record<number, string> = { 16: '_ZN2ns1fEi', 32: 'main', 64: '_ZN2ns1fEi' };
  const user: Lookups['user'] = (_, at) => (names[at] ? { symbol: names[at], offset: 0 } : undefined);
  const finished = (lookups: Partial<Lookups>) => {
    const table = tableOf({ user, ...lookups }, { '1:1': code });
    for (const at of ['010', '020', '030', '040']) table.user(`7f0000001${at}`, 1, 1);
    return { table, frames: table.finished().frames };
  };

  test('replace mangled ones, and nothing else in a frame', () => {
    const { table, frames } = finished({
      demangle: (name) => (name === '_ZN2ns1fEi' ? 'ns::f(int)' : undefined),
    });
    const expected = ['ns::f(int)', 'main', null, 'ns::f(int)'];
    expect(frames).toEqual(table.frames.map((frame, i) => ({ ...frame, symbol: expected[i] })));
    expect(table.frames[0]?.symbol).toBe('_ZN2ns1fEi');
  });

  test('are the original names if there are no others', () => {
    const { table, frames } = finished({});
    expect(frames).toEqual(table.frames);
  });

  test('can be names of prototype members', () => {
    const { frames } = finished({ user: () => ({ symbol: 'constructor', offset: 0 }) });
    expect(frames[0]?.symbol).toBe('constructor');
  });
});
