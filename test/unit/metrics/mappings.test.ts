import { expect, test } from 'vitest';
import { type AddressSpaces, decodeSpaces, encodeSpaces } from '../../../metrics/mappings.ts';
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
