import { describe, expect, test } from 'vitest';
import {
  addToTable,
  keepingSymbols,
  keptSymbols,
  noSymbols,
  type Symbols,
} from '../../../metrics/symbols.ts';
import type { Mapping } from '../../../parsers/proc.ts';

const INODES: Record<string, number> = { '/bin/a': 1, '/bin/b': 2 };
const at = (path: string, file = `fe:00 ${INODES[path] ?? 0}`): Mapping => ({
  ...{ start: 0n, end: 1n, fileOffset: 0n, file, path },
});
const MAIN = { symbol: '_ZN2ns1fEi', offset: 5 };
const COMPILED = { symbol: 'JS:*f app.js', offset: 3, module: '/tmp/perf-7.map' };
const LINES = [
  { function: 'g', file: '/src/a.h', line: 3 },
  { function: 'main', file: '/src/a.c', line: 9 },
];
const EXT4 = { symbol: 'ext4_read_bh', offset: 162, module: '[ext4]' };

/** The symbols of a machine that has one function of the kernel and one of /bin/a. */
const MACHINE: Symbols = {
  kernel: (address) => (address === 'ffffffffc0401122' ? EXT4 : undefined),
  user: ({ path }, offset) => (path === '/bin/a' && offset === 0x1005 ? MAIN : undefined),
  frameless: ({ path }) => path === '/bin/a',
  buildId: ({ path }) => (path === '/bin/a' ? 'abcd' : undefined),
  jit: (pid, generation, address) =>
    pid === 7 && generation === 2 && address === 0x5003n ? COMPILED : undefined,
  lines: (places) => places.map(({ fileOffset }) => (fileOffset === 0x1005 ? LINES : [])),
  problems: () => ['/bin/b is broken'],
  demangle: (names) =>
    new Map(names.filter((n) => n === MAIN.symbol).map((n): [string, string] => [n, 'ns::f(int)'])),
};

function keptOf(ask: (symbols: Symbols) => void) {
  const { symbols, take } = keepingSymbols(MACHINE);
  ask(symbols);
  return take();
}

describe('symbols that keep what was asked', () => {
  test('answer as those they stand for', () => {
    keptOf((symbols) => {
      expect(symbols.kernel('ffffffffc0401122')).toEqual(EXT4);
      expect(symbols.kernel('ffffffff00000000')).toBeUndefined();
      expect(symbols.user(at('/bin/a'), 0x1005)).toEqual(MAIN);
      expect(symbols.user(at('/bin/a'), 0x1006)).toBeUndefined();
      expect(symbols.jit(7, 2, 0x5003n)).toEqual(COMPILED);
      expect([at('/bin/a'), at('/bin/b')].map((mapping) => symbols.frameless(mapping, 1))).toEqual([
        true,
        false,
      ]);
      expect(symbols.jit(8, 2, 0x5003n)).toBeUndefined();
      expect(
        symbols.lines?.([at('/bin/a'), at('/bin/b')].map((mapping) => ({ mapping, fileOffset: 0x1005 }))),
      ).toEqual([LINES, LINES]);
      expect(symbols.problems()).toEqual(['/bin/b is broken']);
      expect(symbols.demangle(['_ZN2ns1fEi', 'main'])).toEqual(new Map([['_ZN2ns1fEi', 'ns::f(int)']]));
    });
  });

  test('keep every answer there was, and no other', () => {
    const kept = keptOf((symbols) => {
      for (const address of ['ffffffffc0401122', 'ffffffff00000000']) symbols.kernel(address);
      for (const path of ['/bin/a', '/bin/b', '']) symbols.user(at(path), 0x1005);
      symbols.demangle(['_ZN2ns1fEi', 'main']);
      for (const pid of [7, 8]) symbols.jit(pid, 2, 0x5003n);
      for (const path of ['/bin/a', '/bin/b']) symbols.frameless(at(path), 0x1005);
      for (const path of ['/bin/a', '/bin/b']) symbols.buildId(at(path));
      symbols.lines?.([{ mapping: at('/bin/a'), fileOffset: 0x1005 }]);
      symbols.problems();
    });
    expect(kept).toEqual({
      kernel: { ffffffffc0401122: EXT4 },
      user: { 'fe:00 1+4101': MAIN },
      frameless: { 'fe:00 1+4101': true },
      buildIds: { 'fe:00 1': 'abcd' },
      jit: { '7:2 20483': COMPILED },
      demangled: { _ZN2ns1fEi: 'ns::f(int)' },
      lines: { 'fe:00 1+4101': LINES },
      problems: ['/bin/b is broken'],
    });
  });
});

test('answers are taken once, and parts make the whole', () => {
  const { symbols, take } = keepingSymbols(MACHINE);
  symbols.user(at('/bin/a'), 0x1005);
  const first = take();
  symbols.user(at('/bin/a'), 0x1005);
  symbols.buildId(at('/bin/a'));
  const second = take();
  expect([first.user, second.user]).toEqual([{ 'fe:00 1+4101': MAIN }, {}]);
  const all = noSymbols();
  for (const part of [first, second]) addToTable(all, part);
  const joined = keptSymbols(all);
  expect(joined.user(at('/bin/a'), 0x1005)).toEqual(MAIN);
  expect(joined.buildId(at('/bin/a'))).toBe('abcd');
  expect(joined.user(at('/bin/a', 'fe:00 9'), 0x1005)).toBeUndefined(); // another file at the same path
});

describe('kept symbols', () => {
  const kept = keptOf((symbols) => {
    symbols.kernel('ffffffffc0401122');
    symbols.user(at('/bin/a'), 0x1005);
    symbols.demangle(['_ZN2ns1fEi']);
    symbols.jit(7, 2, 0x5003n);
    symbols.frameless(at('/bin/a'), 0x1005);
    symbols.lines?.([{ mapping: at('/bin/a'), fileOffset: 0x1005 }]);
    symbols.problems();
  });

  test.each([
    ['as they are', kept],
    ['as JSON', JSON.parse(JSON.stringify(kept))],
  ])('%s give the same answers again', (_, record) => {
    const symbols = keptSymbols(record);
    expect(symbols.kernel('ffffffffc0401122')).toEqual(EXT4);
    expect(symbols.user(at('/bin/a'), 0x1005)).toEqual(MAIN);
    expect(symbols.demangle(['_ZN2ns1fEi']).get('_ZN2ns1fEi')).toBe('ns::f(int)');
    expect(symbols.jit(7, 2, 0x5003n)).toEqual(COMPILED);
    expect(symbols.frameless(at('/bin/a'), 0x1005)).toBe(true);
    expect(symbols.frameless(at('/bin/a'), 0x1006)).toBe(false);
    expect(symbols.lines?.([{ mapping: at('/bin/a'), fileOffset: 0x1005 }])).toEqual([LINES]);
    expect(symbols.problems()).toEqual(['/bin/b is broken']);
  });

  test('know nothing that was not asked', () => {
    const symbols = keptSymbols(kept);
    expect(symbols.kernel('ffffffffc0401123')).toBeUndefined();
    expect(symbols.user(at('/bin/a'), 0x1006)).toBeUndefined();
    expect(symbols.user(at('/bin/b'), 0x1005)).toBeUndefined();
    expect(symbols.demangle(['_ZN2ns1gEi']).get('_ZN2ns1gEi')).toBeUndefined();
  });

  test('of a run in which nothing was asked know nothing', () => {
    const symbols = keptSymbols(noSymbols());
    expect(symbols.kernel('ffffffffc0401122')).toBeUndefined();
    expect(symbols.user(at('/bin/a'), 0x1005)).toBeUndefined();
    expect(symbols.demangle(['_ZN2ns1fEi']).size).toBe(0);
    expect(symbols.lines).toBeUndefined();
  });
});
