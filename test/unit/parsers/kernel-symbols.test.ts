import { describe, expect, test } from 'vitest';
import { addressesOf, parseKernelSymbols } from '../../../parsers/kernel-symbols.ts';

/** Rows of /proc/kallsyms of Linux 6.18; the last two are of modules, which are not sorted. */
const KALLSYMS = `\
ffffffff81000000 T srso_alias_untrain_ret
ffffffff81000000 T _stext
ffffffff81000000 T _text
ffffffff8141fc60 T hrtimer_nanosleep
ffffffff821f8540 t __schedule
ffffffff821f94a0 T schedule
ffffffff821f9600 W weak_one
ffffffff821f9610 w weaker_one
ffffffff82200000 D runqueues
ffffffff822003e0 t do_nanosleep
ffffffff83000000 B __bss_start
ffffffffc0401000 t ext4_read_bh\t[ext4]
ffffffffc0205000 t ftrace_trampoline\t[__builtin__ftrace]
`;
const SYMBOLS = parseKernelSymbols(KALLSYMS);

describe('finds an address', () => {
  test.each([
    ['ffffffff821f94c3', { symbol: 'schedule', offset: 35 }],
    ['0xffffffff821f94c3', { symbol: 'schedule', offset: 35 }],
    ['ffffffff821f94a0', { symbol: 'schedule', offset: 0 }],
    ['ffffffff821f949f', { symbol: '__schedule', offset: 0xf5f }],
    ['ffffffff821f9601', { symbol: 'weak_one', offset: 1 }],
    ['ffffffff821f9611', { symbol: 'weaker_one', offset: 1 }],
    ['ffffffffc04010a2', { symbol: 'ext4_read_bh', offset: 162, module: '[ext4]' }],
    ['ffffffffc0205010', { symbol: 'ftrace_trampoline', offset: 16, module: '[__builtin__ftrace]' }],
  ])('%s', (address, place) => {
    expect(SYMBOLS.find(address)).toEqual(place);
  });

  test('with the first of its names, as in the kernel', () => {
    expect(SYMBOLS.find('ffffffff81000010')?.symbol).toBe('srso_alias_untrain_ret');
  });

  test('in code, even with data in between', () => {
    expect(SYMBOLS.find('ffffffff82200010')?.symbol).toBe('weaker_one');
  });

  test('with rows in any order', () => {
    const backwards = parseKernelSymbols(`${KALLSYMS.trim().split('\n').reverse().join('\n')}\n`);
    for (const address of ['ffffffff8141fcd4', 'ffffffff8220043e', 'ffffffffc0401001', 'ffffffffc0205001']) {
      expect(backwards.find(address)).toEqual(SYMBOLS.find(address));
    }
  });

  test('with 48-bit addresses, as on arm64', () => {
    const arm = parseKernelSymbols('ffff800010081000 T do_undefinstr\n');
    expect(arm.find('ffff800010081004')).toEqual({ symbol: 'do_undefinstr', offset: 4 });
  });
});

describe('finds nothing', () => {
  test.each([
    ['below the first symbol', 'ffffffff80ffffff'],
    ['1 MiB after a symbol', 'ffffffffc0501000'],
    ['in user code', '7f195c57f503'],
    ['at 0', '0'],
    ['for an empty address', ''],
  ])('%s', (_, address) => {
    expect(SYMBOLS.find(address)).toBeUndefined();
    expect(SYMBOLS.row(address)).toBeUndefined();
  });

  test('except up to 1 MiB after a symbol', () => {
    expect(SYMBOLS.find('ffffffffc0500fff')).toMatchObject({ symbol: 'ext4_read_bh', offset: 2 ** 20 - 1 });
  });

  test.each([
    ['if the kernel hides its addresses', '0000000000000000 T _text\n0000000000000000 t do_one\n'],
    ['if kallsyms cannot be read', ''],
    ['in data only', 'ffffffff81000000 D runqueues\nffffffff81000000 b counter\n'],
    ['in text of another kind', 'no symbols\nhere either'],
  ])('%s', (_, text) => {
    const symbols = parseKernelSymbols(text);
    expect([symbols.find('ffffffff81000010'), symbols.isHidden]).toEqual([undefined, true]);
    expect(SYMBOLS.isHidden).toBe(false);
  });
});

describe('the row that names an address', () => {
  test.each([
    ['ffffffff821f94c3', 'ffffffff821f94a0 T schedule\n'],
    ['ffffffffc04010a2', 'ffffffffc0401000 t ext4_read_bh\t[ext4]\n'],
    ['ffffffff81000001', 'ffffffff81000000 T srso_alias_untrain_ret\n'],
  ])('of %s is the same text', (address, row) => {
    expect(SYMBOLS.row(address)).toBe(row);
    expect(parseKernelSymbols(row).find(address)).toEqual(SYMBOLS.find(address));
  });

  test('ends with a newline, even if the text does not', () => {
    const symbols = parseKernelSymbols('ffffffff821f94a0 T schedule');
    expect(symbols.row('ffffffff821f94c3')).toBe('ffffffff821f94a0 T schedule\n');
    expect(symbols.find('ffffffff821f94c3')).toEqual({ symbol: 'schedule', offset: 35 });
  });
});

describe('addresses by name', () => {
  const text = `${KALLSYMS}ffffffffc0206000 t do_nanosleep\t[copy]\n`;

  test('are those of the wanted functions, the first for each name', () => {
    const wanted = new Set(['do_nanosleep', 'ftrace_trampoline', 'runqueues', 'absent']);
    expect([...addressesOf(text, wanted)]).toEqual([
      ['do_nanosleep', '0xffffffff822003e0'],
      ['ftrace_trampoline', '0xffffffffc0205000'],
    ]);
  });

  test('do not match a part of a name', () => {
    expect(addressesOf(text, new Set(['nanosleep'])).size).toBe(0);
  });

  test('are unknown if the kernel hides them', () => {
    expect(addressesOf('0000000000000000 T schedule\n', new Set(['schedule'])).size).toBe(0);
  });
});
