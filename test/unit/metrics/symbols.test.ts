import { describe, expect, test } from 'vitest';
import { newAddresses } from '../../../metrics/addresses.ts';
import { locate } from '../../../metrics/located.ts';
import { decodeSpaces } from '../../../metrics/mappings.ts';
import {
  addToTable,
  fileAddressKey,
  noSymbols,
  objectKey,
  type ResolvedSymbols,
} from '../../../metrics/symbols.ts';
import type { Mapping } from '../../../parsers/proc.ts';
import { textTable } from './frame-tables.ts';

const MAPS = {
  '7:1': `\
1000-2000 r-xp 00001000 fe:00 1 /bin/a
7ffc00003000-7ffc00004000 r-xp 00000000 00:00 0 [vdso]
5000-6000 rwxp 00000000 00:00 0
`,
  '7:2': '1000-2000 r-xp 00001000 fe:00 9 /bin/a\n',
};
const MAIN = { symbol: '_ZN2ns1fEi', offset: 5 };
const COMPILED = { symbol: 'JS:*f app.js', offset: 3, module: '/tmp/perf-7.map' };
const EXT4 = { symbol: 'ext4_read_bh', offset: 162, module: '[ext4]' };

/** The answers of a machine with one kernel function, one in /bin/a and a compiled one. */
const TABLE: ResolvedSymbols = {
  kernel: { ffffffffc0401122: EXT4 },
  user: { 'fe:00 1+4101': MAIN },
  frameless: { 'fe:00 1+4101': true },
  uncalled: {},
  buildIds: { 'fe:00 1': 'abcd' },
  jit: { '7:1 20483': COMPILED },
  demangled: { _ZN2ns1fEi: 'ns::f(int)' },
  problems: ['/bin/b is broken'],
};

describe('requests', () => {
  const requestsOf = (stacks: readonly [text: string, generation: number][], lines = false) => {
    const addresses = newAddresses();
    for (const [text, generation] of stacks) addresses.user(text, 7, generation);
    addresses.kernel('ffffffffc0401122\nffffffffc0401123');
    const facts = { dwarfPids: [], dwarfGeneration: 1, stackDepth: 127 };
    return locate(addresses, decodeSpaces(MAPS), facts, lines).requests;
  };

  test('contain each place once, however many stacks and processes have it', () => {
    const { user, leaves } = requestsOf([
      ['1005\n1011', 1],
      ['1010\n1006', 1],
      ['1005', 1],
    ]);
    expect(user.map(fileAddressKey)).toEqual(['fe:00 1+4101', 'fe:00 1+4112']);
    expect(leaves.map(fileAddressKey)).toEqual(['fe:00 1+4101', 'fe:00 1+4112']);
  });

  test('contain return addresses of the kernel minus one byte, where the call is', () => {
    expect(requestsOf([]).kernel).toEqual(['ffffffffc0401122']);
  });

  test('distinguish files at the same path, and include the vDSO', () => {
    const { user, compiled } = requestsOf([
      ['1005', 1],
      ['1005', 2],
      ['7ffc00003010', 1],
    ]);
    expect(user.map(fileAddressKey)).toEqual(['fe:00 1+4101', 'fe:00 9+4101', '[vdso]+16']);
    expect(compiled.map(({ address }) => address)).toEqual([0x7ffc00003010n]);
  });

  test('for compiled code have the process, the program and the address', () => {
    expect(requestsOf([['5003', 1]]).compiled).toEqual([{ pid: 7, generation: 1, address: 0x5003n }]);
  });

  test.each([true, false])('state whether source lines are wanted: %s', (lines) => {
    expect(requestsOf([], lines).lines).toBe(lines);
  });
});

describe('a table', () => {
  const framesOf = (table: ResolvedSymbols) => {
    const stacks = textTable(
      {
        kernel: (address) => table.kernel[address],
        user: (mapping, fileOffset) => table.user[fileAddressKey({ mapping, fileOffset })],
        frameless: (mapping, fileOffset) => table.frameless[fileAddressKey({ mapping, fileOffset })] === true,
        jit: (pid, generation, address) => table.jit[`${pid}:${generation} ${address}`],
        buildId: (mapping) => table.buildIds[objectKey(mapping)],
        demangle: (name) => table.demangled[name],
      },
      MAPS,
    );
    const first = stacks.user('1005', 7, 1);
    const others = [stacks.user('1005', 7, 2), stacks.user('5003', 7, 1)];
    stacks.kernel('ffffffffc0401122\nffffffffc0401200');
    return { ...stacks.finished(), incomplete: [first, ...others].map(({ incomplete }) => incomplete) };
  };

  test('gives frames their names, and nothing else', () => {
    const { frames, mappings, incomplete } = framesOf(TABLE);
    expect(frames.map(({ symbol, offset }) => [symbol, offset])).toEqual([
      ['ns::f(int)', 5],
      [null, 0x1005],
      ['JS:*f app.js', 3],
      ['ext4_read_bh', 162],
      [null, null],
    ]);
    expect(mappings.map(({ build_id }) => build_id)).toEqual(['abcd', null]);
    expect(incomplete).toEqual([true, false, false]);
  });

  test('gives the same frames after a round trip through JSON', () => {
    expect(framesOf(JSON.parse(JSON.stringify(TABLE))).frames).toEqual(framesOf(TABLE).frames);
  });

  test('gives frames without names if it has no answers', () => {
    expect(framesOf(noSymbols()).frames.map(({ symbol }) => symbol)).toEqual([null, null, null, null]);
  });
});

describe('later answers', () => {
  const LINES = [{ function: 'main', file: '/src/a.c', line: 9 }];

  test('are added to a table, and replace its problems', () => {
    const all = noSymbols();
    addToTable(all, { ...noSymbols(), user: TABLE.user, kernel: TABLE.kernel, problems: ['an earlier one'] });
    addToTable(all, { ...TABLE, user: { 'fe:00 1+7': MAIN }, lines: { 'fe:00 1+7': LINES } });
    addToTable(all, { ...noSymbols(), lines: { 'fe:00 1+9': [] }, problems: TABLE.problems });
    expect(all).toEqual({
      ...TABLE,
      user: { ...TABLE.user, 'fe:00 1+7': MAIN },
      lines: { 'fe:00 1+7': LINES, 'fe:00 1+9': [] },
    });
  });

  test('without lines do not add any to a table', () => {
    const all = noSymbols();
    addToTable(all, TABLE);
    expect(all).not.toHaveProperty('lines');
  });
});

test('the vDSO has its name as its key, because it is not a file', () => {
  const at = (start: bigint, path: string, file: string): Mapping => {
    return { start, end: start + 0x1000n, fileOffset: 0n, file, path };
  };
  expect(objectKey(at(0x1000n, '/bin/a', 'fe:00 1'))).toBe('fe:00 1');
  expect(objectKey(at(0x7ffc00000000n, '[vdso]', '00:00 0'))).toBe('[vdso]');
  expect(objectKey(at(0xf7fc1000n, '[vdso]', '00:00 0'))).toBe('[vdso] 32'); // of a 32-bit process: other code
});
