import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AddressSpaces, decodeSpaces, encodeSpaces, mappingFinder } from '../../../metrics/mappings.ts';
import type { Mapping } from '../../../parsers/proc.ts';
import { SLEEP_MAPS } from '../sleep-recording.ts';

const mapped = (start: bigint, path: string, file = 'fe:00 260875') => ({
  ...{ start, end: start + 0x1000n, fileOffset: 0x2000n, file, path },
});

test('address spaces are the same after a capture, latest mapping first', () => {
  const spaces: AddressSpaces = new Map([
    ['26857:1', [mapped(0x7ffffffff000n, '[vdso]', '00:00 0'), mapped(0x55ed5ddf1000n, '/opt/my app/a (1)')]],
    ['26857:2', [mapped(0x10000n, '', '00:00 0'), mapped(0xffffffffff600000n, '/tmp/a\rb\u2028c\\012d')]],
    ['7:1', []],
  ]);
  const stored = JSON.parse(JSON.stringify(encodeSpaces(spaces)));
  expect(decodeSpaces(stored)).toEqual(spaces);
  expect(stored['26857:1']).toBe(
    '7ffffffff000-800000000000 r-xp 2000 00:00 0 [vdso]\n' +
      '55ed5ddf1000-55ed5ddf2000 r-xp 2000 fe:00 260875 /opt/my app/a (1)\n',
  );
});

test('rows in the format of the released version, copied from /proc, are also read', () => {
  const mappings = decodeSpaces({ '26857:1': SLEEP_MAPS }).get('26857:1');
  expect(mappings?.map(({ path }) => path)).toEqual([
    '/usr/bin/sleep',
    '/usr/lib/x86_64-linux-gnu/libc.so.6',
    '/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2',
  ]);
  expect(mappings?.[0]).toEqual({
    ...{ start: 0x55ed5ddf1000n, end: 0x55ed5ddf6000n, fileOffset: 0x2000n },
    ...{ file: 'fe:00 260875', path: '/usr/bin/sleep' },
  });
});

describe('the mapping at an address', () => {
  const at = (start: number, length: number, path = ''): Mapping => {
    return { start: BigInt(start), end: BigInt(start + length), fileOffset: 0n, file: '00:00 0', path };
  };

  test('is the first of the list that contains it, however they overlap', () => {
    const mapping = fc
      .tuple(fc.nat(200), fc.integer({ min: 1, max: 60 }))
      .map(([start, length]) => at(start, length));
    fc.assert(
      fc.property(fc.array(mapping, { maxLength: 60 }), (mappings) => {
        const find = mappingFinder(mappings);
        for (let address = 0n; address < 262n; address++)
          expect(find(address)).toBe(mappings.find(({ start, end }) => start <= address && address < end));
      }),
    );
  });

  test('is found among as many as a process can have', () => {
    const many = Array.from({ length: 65_536 }, (_, i) => at(2 ** 40 + 8192 * i, 4096, `/${i}`)).reverse();
    const find = mappingFinder(many);
    for (const i of [0, 1, 40_000, 65_535]) expect(find(BigInt(2 ** 40 + 8192 * i + 5))?.path).toBe(`/${i}`);
    expect(find(BigInt(2 ** 40 + 4096))).toBeUndefined();
    expect([find(0n), find(2n ** 64n - 1n)]).toEqual([undefined, undefined]);
  });

  test('is none beyond 64 bits, as in a broken capture', () => {
    const few = [{ ...at(0, 1), start: 1n, end: 2n ** 70n }];
    const many = [...few, ...Array.from({ length: 40 }, (_, i) => at(100 + i, 1))];
    for (const mappings of [few, many]) expect(mappingFinder(mappings)(5n)).toBeUndefined();
  });
});
