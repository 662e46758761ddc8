import { describe, expect, test } from 'vitest';
import { keepingSymbols, keptSymbols, NO_SYMBOLS, type Symbols } from '../../../metrics/symbols.ts';
import type { Mapping } from '../../../parsers/proc.ts';

const at = (path: string): Mapping => ({ start: 0n, end: 1n, fileOffset: 0n, file: 'fe:00 1', path });
const MAIN = { symbol: '_ZN2ns1fEi', offset: 5 };
const EXT4 = { symbol: 'ext4_read_bh', offset: 162, module: '[ext4]' };

/** The symbols of a machine that has one function of the kernel and one of /bin/a. */
const MACHINE: Symbols = {
  kernel: (address) => (address === 'ffffffffc0401122' ? EXT4 : undefined),
  user: ({ path }, offset) => (path === '/bin/a' && offset === 0x1005 ? MAIN : undefined),
  demangle: (names) =>
    new Map(names.filter((n) => n === MAIN.symbol).map((n): [string, string] => [n, 'ns::f(int)'])),
};

function keptOf(ask: (symbols: Symbols) => void) {
  const kept = { kernel: {}, user: {}, demangled: {} };
  ask(keepingSymbols(MACHINE, kept));
  return kept;
}

describe('symbols that keep what was asked', () => {
  test('answer as those they stand for', () => {
    keptOf((symbols) => {
      expect(symbols.kernel('ffffffffc0401122')).toEqual(EXT4);
      expect(symbols.kernel('ffffffff00000000')).toBeUndefined();
      expect(symbols.user(at('/bin/a'), 0x1005)).toEqual(MAIN);
      expect(symbols.user(at('/bin/a'), 0x1006)).toBeUndefined();
      expect(symbols.demangle(['_ZN2ns1fEi', 'main'])).toEqual(new Map([['_ZN2ns1fEi', 'ns::f(int)']]));
    });
  });

  test('keep every answer there was, and no other', () => {
    const kept = keptOf((symbols) => {
      for (const address of ['ffffffffc0401122', 'ffffffff00000000']) symbols.kernel(address);
      for (const path of ['/bin/a', '/bin/b', '']) symbols.user(at(path), 0x1005);
      symbols.demangle(['_ZN2ns1fEi', 'main']);
    });
    expect(kept).toEqual({
      kernel: { ffffffffc0401122: EXT4 },
      user: { '/bin/a+4101': MAIN },
      demangled: { _ZN2ns1fEi: 'ns::f(int)' },
    });
  });
});

describe('kept symbols', () => {
  const kept = keptOf((symbols) => {
    symbols.kernel('ffffffffc0401122');
    symbols.user(at('/bin/a'), 0x1005);
    symbols.demangle(['_ZN2ns1fEi']);
  });

  test.each([
    ['as they are', kept],
    ['as JSON', JSON.parse(JSON.stringify(kept))],
  ])('%s give the same answers again', (_, record) => {
    const symbols = keptSymbols(record);
    expect(symbols.kernel('ffffffffc0401122')).toEqual(EXT4);
    expect(symbols.user(at('/bin/a'), 0x1005)).toEqual(MAIN);
    expect(symbols.demangle(['_ZN2ns1fEi']).get('_ZN2ns1fEi')).toBe('ns::f(int)');
  });

  test('know nothing that was not asked', () => {
    const symbols = keptSymbols(kept);
    expect(symbols.kernel('ffffffffc0401123')).toBeUndefined();
    expect(symbols.user(at('/bin/a'), 0x1006)).toBeUndefined();
    expect(symbols.user(at('/bin/b'), 0x1005)).toBeUndefined();
    expect(symbols.demangle(['_ZN2ns1gEi']).get('_ZN2ns1gEi')).toBeUndefined();
  });

  test('of a run in which nothing was asked know nothing', () => {
    const symbols = keptSymbols(NO_SYMBOLS);
    expect(symbols.kernel('ffffffffc0401122')).toBeUndefined();
    expect(symbols.user(at('/bin/a'), 0x1005)).toBeUndefined();
    expect(symbols.demangle(['_ZN2ns1fEi']).size).toBe(0);
  });
});
