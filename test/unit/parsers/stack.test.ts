import { describe, expect, test } from 'vitest';
import { type KnownAddresses, readStack } from '../../../parsers/stack.ts';

function addressesOf(text: string): string[] {
  const addresses: string[] = [];
  const stack = readStack(text, nothingKnown(), (address) => addresses.push(address) - 1);
  return stack.map((index) => addresses[index] as string);
}

/** The same wait of sleep, as printed by several versions of bpftrace in keys and in values of maps. */
describe('a stack is read leaf first', () => {
  const KERNEL = ['ffffffff821f8b58', 'ffffffff821f94c3', 'ffffffff8220043e'];

  test.each([
    [
      'perf mode, before 0.18',
      '\n\tffffffff821f8b58 __schedule+1560\n\tffffffff821f94c3 schedule+35\n\tffffffff8220043e do_nanosleep+94\n',
    ],
    [
      'perf mode, as printed in a line',
      String.raw`\n\tffffffff821f8b58 __schedule+1560\n\tffffffff821f94c3 schedule+35\n\tffffffff8220043e do_nanosleep+94\n`,
    ],
    ['raw mode', '\nffffffff821f8b58\nffffffff821f94c3\nffffffff8220043e\n'],
    ['raw mode, as printed in a line', String.raw`\nffffffff821f8b58\nffffffff821f94c3\nffffffff8220043e\n`],
    [
      'raw mode, escaped twice by 0.22 and 0.23',
      String.raw`\\nffffffff821f8b58\\nffffffff821f94c3\\nffffffff8220043e\\n`,
    ],
    [
      'the value of a key that was escaped twice',
      JSON.parse(String.raw`"\\nffffffff821f8b58\\nffffffff821f94c3\\nffffffff8220043e\\n"`),
    ],
    ['without a newline at either end', 'ffffffff821f8b58\nffffffff821f94c3\nffffffff8220043e'],
  ])('%s', (_, text) => {
    expect(addressesOf(text)).toEqual(KERNEL);
  });
});

describe('perf mode: everything except addresses is ignored', () => {
  test.each([
    ['an unknown name', '7f195c57f503 0x7f195c57f503 ([unknown])'],
    ['a module of the kernel', '7f195c57f503 ext4_read_bh+162 ([ext4])'],
    ['a name of hexadecimal letters', '7f195c57f503 deadbeef+10 (/cafe/f00d.so)'],
    ['a name with blanks and commas', '7f195c57f503 ns::f(int, char const*)+7 (/opt/my app/a,b (deleted))'],
    [
      'a path whose UTF-16 units hold the bytes of a newline, a backslash and digits',
      '7f195c57f503 f+1 (/\u010a\u5c61bad\u{1f600})',
    ],
    ['nothing', '7f195c57f503'],
  ])('%s', (_, line) => {
    const stack = ['5f5e100 0x5f5e100 ([unknown])', line, 'ffffffffffffffff'];
    const addresses = ['5f5e100', '7f195c57f503', 'ffffffffffffffff'];
    expect(addressesOf(`\n\t${stack.join('\n\t')}\n`)).toEqual(addresses);
    expect(addressesOf(String.raw`\n\t${stack.join(String.raw`\n\t`)}\n`)).toEqual(addresses);
  });
});

describe('the extra 0 at the end', () => {
  test.each([
    ['\n7f195c57f503\n0\n', ['7f195c57f503']],
    [String.raw`\n7f195c57f503\n0\n`, ['7f195c57f503']],
    [String.raw`\\n7f195c57f503\\n0\\n`, ['7f195c57f503']],
    ['\n7f195c57f503\n0', ['7f195c57f503']],
    ['\n7f195c57f503\n0\n5f5e100\n', ['7f195c57f503']],
    ['\n0\n', []],
    ['0', []],
  ])('of %j ends the stack', (text, addresses) => {
    expect(addressesOf(text)).toEqual(addresses);
  });

  test('is not confused with an address with leading zeros', () => {
    expect(addressesOf('\n01\n0a\n5f5e100\n')).toEqual(['01', '0a', '5f5e100']);
  });
});

/** If there is no stack, perf mode prints nothing and raw mode prints a newline. */
test.each(['', '\n', '\n\n', '\t \n', String.raw`\n`, String.raw`\\n`, 'xyz'])(
  '%j has no addresses',
  (text) => {
    expect(addressesOf(text)).toEqual([]);
  },
);

test('an address is looked up once as a leaf and once as a caller, however many stacks have it', () => {
  const known = nothingKnown();
  const looked: [string, boolean][] = [];
  const look = (address: string, leaf: boolean) => looked.push([address, leaf]) + 100;
  expect(readStack('\n5f5e100\n7f195c57f503\n5f5e100\n7f195c57f503\n', known, look)).toEqual([
    101, 102, 103, 102,
  ]);
  expect(readStack(String.raw`\n7f195c57f503\n42c1d81\n5f5e100\n`, known, look)).toEqual([104, 105, 103]);
  expect(readStack(String.raw`\\n5f5e100\\n`, known, look)).toEqual([101]);
  expect(looked).toEqual([
    ['5f5e100', true],
    ['7f195c57f503', false],
    ['5f5e100', false],
    ['7f195c57f503', true],
    ['42c1d81', false],
  ]);
});

test('addresses that differ in one bit are different', () => {
  const bits = Array.from({ length: 64 }, (_, i) => (1n << BigInt(i)).toString(16));
  const all = [
    ...bits,
    'ffffffffffffffff',
    '7fffffff',
    '80000000',
    'ffffffff',
    '100000000',
    'ffffffff00000000',
  ];
  const addresses = [...new Set(all)];
  expect(addressesOf(addresses.join('\n'))).toEqual(addresses);
  expect(new Set(readStack(addresses.join('\n'), nothingKnown(), newNumber())).size).toBe(addresses.length);
});

function nothingKnown(): KnownAddresses {
  return { leaf: new Map(), callers: new Map() };
}

function newNumber(): () => number {
  let number = 0;
  return () => number++;
}
