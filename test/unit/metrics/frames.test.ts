import { describe, expect, test } from 'vitest';
import { mappingFinder, newFrameTable } from '../../../metrics/frames.ts';
import { parseKernelSymbols } from '../../../parsers/kernel-symbols.ts';
import { parseMaps } from '../../../parsers/proc.ts';
import { SLEEP_MAPS, SLEEP_SYMBOLS } from '../sleep-recording.ts';

const LIBC = '/usr/lib/x86_64-linux-gnu/libc.so.6';
const findMapping = mappingFinder({ '26857:1': SLEEP_MAPS });
/** A user stack of sleep, in perf and in raw mode. */
const USER = '\n\t7f195c57f503 0x7f195c57f503 ([unknown])\n\t5f5e100 0x5f5e100 ([unknown])\n';
const RAW_USER = '\n7f195c57f503\n5f5e100\n';
const KERNEL = '\nffffffff821f94c3\nffffffff8220043e\n';

function tableOf(find = findMapping, kallsyms?: string) {
  return newFrameTable(find, kallsyms === undefined ? SLEEP_SYMBOLS : parseKernelSymbols(kallsyms));
}

describe('user frames', () => {
  test.each([USER, RAW_USER, `${RAW_USER}0\n`])(
    'an address in a mapping gets its file and the offset in that file: %j',
    (text) => {
      const table = tableOf();
      expect(table.user(text, 26857, 1)).toEqual([0, 1]);
      expect(table.frames).toEqual([
        { address: '0x7f195c57f503', symbol: null, module: LIBC, offset: 849155 },
        { address: '0x5f5e100', symbol: null, module: null, offset: null },
      ]);
    },
  );

  test('the same address of another program of the process has another mapping', () => {
    const table = tableOf();
    expect(table.user('7f195c57f503', 26857, 1)).toEqual([0]);
    expect(table.user('7f195c57f503', 26857, 2)).toEqual([1]);
    expect(table.user('7f195c57f503', 26858, 1)).toEqual([1]);
    expect(table.frames[1]?.module).toBeNull();
  });

  test('the end of a mapping is outside it', () => {
    const table = tableOf();
    table.user('7f195c4d6000\n7f195c62b000', 26857, 1);
    expect(table.frames.map((frame) => frame.offset)).toEqual([0x26000, null]);
  });

  test('what bpftrace names one is ignored: the same for every version', () => {
    const table = tableOf();
    table.user('\n\t7f195c57f503 clock_nanosleep+35 (/another/libc.so)\n', 26857, 1);
    expect(table.frames).toEqual([{ address: '0x7f195c57f503', symbol: null, module: LIBC, offset: 849155 }]);
  });

  test('anonymous memory has no module, but an offset', () => {
    const jit = parseMaps('7f0000001000-7f0000002000 rwxp 00000000 00:00 0 \n');
    const table = tableOf(() => jit[0]);
    table.user('7f0000001010', 1, 1);
    expect(table.frames[0]).toEqual({ address: '0x7f0000001010', symbol: null, module: null, offset: 16 });
  });
});

describe('kernel frames', () => {
  const KALLSYMS = 'ffffffff821f94a0 T schedule\nffffffffc0401081 t ext4_read_bh\t[ext4]\n';

  test('are of the kernel, or of its module, with their names in /proc/kallsyms', () => {
    const table = tableOf(findMapping, KALLSYMS);
    table.kernel('\nffffffff821f94c3\nffffffffc0401123\n');
    expect(table.frames).toEqual([
      { address: '0xffffffff821f94c3', symbol: 'schedule', module: '[kernel]', offset: 35 },
      { address: '0xffffffffc0401123', symbol: 'ext4_read_bh', module: '[ext4]', offset: 162 },
    ]);
  });

  test('what bpftrace names one is ignored', () => {
    const table = tableOf();
    table.kernel('\n\tffffffff821f94c3 an_alias_of_schedule+35\n');
    expect(table.frames.map((frame) => frame.symbol)).toEqual(['schedule']);
  });

  test.each(['', '0000000000000000 T schedule\n'])('have none without symbols: %j', (kallsyms) => {
    const table = tableOf(findMapping, kallsyms);
    table.kernel('\n\tffffffff821f94c3 schedule+35\n');
    expect(table.frames).toEqual([
      { address: '0xffffffff821f94c3', symbol: null, module: '[kernel]', offset: null },
    ]);
  });

  test('that were read with their names keep them', () => {
    const table = tableOf(findMapping, '');
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

test('equal frames are one, and the order of a stack is kept', () => {
  const table = tableOf();
  expect(table.kernel(KERNEL)).toEqual([0, 1]);
  expect(table.kernel('\nffffffff8220043e\nffffffff821f94c3\n')).toEqual([1, 0]);
  expect(table.frames).toHaveLength(2);
});

test('the same place of two files is two frames', () => {
  const at = (path: string) => parseMaps(`7f0000001000-7f0000002000 r-xp 00000000 fe:00 1 ${path}\n`)[0];
  const table = tableOf((pid) => at(pid === 1 ? '/a.so' : '/b.so'));
  expect(table.user('7f0000001010', 1, 1)).toEqual([0]);
  expect(table.user('7f0000001010', 2, 1)).toEqual([1]);
});

test('a kernel frame of /proc is the one that bpftrace printed', () => {
  const table = tableOf();
  table.kernel(KERNEL);
  const places = [{ address: '0xffffffff8220043e', symbol: 'do_nanosleep', offset: 94 }];
  expect(table.named(places)).toEqual([1]);
});

test.each(['', '\n', String.raw`\\n`, '\n0\n'])('the empty stack %j has no frames', (text) => {
  const table = tableOf();
  expect(table.user(text, 26857, 1)).toEqual([]);
  expect(table.kernel(text)).toEqual([]);
  expect(table.named([])).toEqual([]);
  expect(table.frames).toEqual([]);
});
