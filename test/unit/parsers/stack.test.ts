import { describe, expect, test } from 'vitest';
import { parseStack } from '../../../parsers/stack.ts';

test('kernel frames have a symbol, an offset and no module', () => {
  expect(parseStack('\n\tffffffff821f94c3 schedule+35\n\tffffffff8220043e do_nanosleep+94\n')).toEqual([
    { address: '0xffffffff821f94c3', symbol: 'schedule', offset: 35 },
    { address: '0xffffffff8220043e', symbol: 'do_nanosleep', offset: 94 },
  ]);
});

test('a frame of a kernel module names it', () => {
  expect(parseStack('\n\tffffffffc0401123 ext4_read_bh+162 ([ext4])\n')).toEqual([
    { address: '0xffffffffc0401123', symbol: 'ext4_read_bh', offset: 162, module: '[ext4]' },
  ]);
});

test('a user frame that bpftrace named has its file', () => {
  const text = '\n\t7fd0afd91503 clock_nanosleep+35 (/usr/lib/x86_64-linux-gnu/libc.so.6)\n';
  expect(parseStack(text)).toEqual([
    {
      address: '0x7fd0afd91503',
      symbol: 'clock_nanosleep',
      offset: 35,
      module: '/usr/lib/x86_64-linux-gnu/libc.so.6',
    },
  ]);
});

test('a frame that bpftrace could not name is an address alone', () => {
  expect(
    parseStack('\n\t7f195c57f503 0x7f195c57f503 ([unknown])\n\t5f5e100 0x5f5e100 ([unknown])\n'),
  ).toEqual([{ address: '0x7f195c57f503' }, { address: '0x5f5e100' }]);
});

describe('names that hold what divides', () => {
  test.each([
    ['ns::f(int, char const*)+7', 'ns::f(int, char const*)', undefined],
    ['operator+(A, B)+12 (/opt/my app/a+1 (b).so)', 'operator+(A, B)', '/opt/my app/a+1 (b).so'],
    [
      '<alloc::vec::Vec<T,A> as core::ops::Drop>::drop+0 (/a,b.so)',
      '<alloc::vec::Vec<T,A> as core::ops::Drop>::drop',
      '/a,b.so',
    ],
    ['f.constprop.0+3 (/tmp/x (deleted))', 'f.constprop.0', '/tmp/x (deleted)'],
  ])('%s', (text, symbol, module) => {
    const [frame] = parseStack(`\t7f0000001000 ${text}\n`);
    expect(frame?.symbol).toBe(symbol);
    expect(frame?.module).toBe(module);
  });
});

test('an address past 2^53 keeps every digit', () => {
  expect(parseStack('\tffffffffffffffff 0xffffffffffffffff ([unknown])')).toEqual([
    { address: '0xffffffffffffffff' },
  ]);
});

test('bare hexadecimal lines are frames too', () => {
  expect(parseStack('\n7f195c57f503\n0\n')).toEqual([{ address: '0x7f195c57f503' }, { address: '0x0' }]);
});

test.each(['', '\n', '\n\n', '\t \n'])('no frames in %j', (text) => {
  expect(parseStack(text)).toEqual([]);
});

test('lines that are no frames are left out, and those around them are kept', () => {
  expect(parseStack('\n\tffffffff821f94c3 schedule+35\n\thello\n\t7f19')).toEqual([
    { address: '0xffffffff821f94c3', symbol: 'schedule', offset: 35 },
    { address: '0x7f19' },
  ]);
});
