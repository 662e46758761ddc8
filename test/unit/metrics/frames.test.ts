import { describe, expect, test } from 'vitest';
import { newFrameTable } from '../../../metrics/frames.ts';
import { parseMaps } from '../../../parsers/proc.ts';
import { parseStack } from '../../../parsers/stack.ts';
import { SLEEP_MAPS } from '../sleep-recording.ts';

const LIBC = '/usr/lib/x86_64-linux-gnu/libc.so.6';
const findMapping = (pid: number, generation: number, address: bigint) =>
  pid === 26857 && generation === 1
    ? parseMaps(SLEEP_MAPS).find((m) => m.start <= address && address < m.end)
    : undefined;
const USER = parseStack('\n\t7f195c57f503 0x7f195c57f503 ([unknown])\n\t5f5e100 0x5f5e100 ([unknown])\n');

describe('user frames', () => {
  test('an address in a mapping gets its file and the offset in that file', () => {
    const table = newFrameTable(findMapping);
    expect(table.user(USER, 26857, 1)).toEqual([0, 1]);
    expect(table.frames).toEqual([
      { address: '0x7f195c57f503', symbol: null, module: LIBC, offset: 849155 },
      { address: '0x5f5e100', symbol: null, module: null, offset: null },
    ]);
  });

  test('the same address of another program of the process has another mapping', () => {
    const table = newFrameTable(findMapping);
    expect(table.user(USER.slice(0, 1), 26857, 1)).toEqual([0]);
    expect(table.user(USER.slice(0, 1), 26857, 2)).toEqual([1]);
    expect(table.frames[1]?.module).toBeNull();
  });

  test('the end of a mapping is outside it', () => {
    const table = newFrameTable(findMapping);
    table.user([{ address: '0x7f195c4d6000' }, { address: '0x7f195c62b000' }], 26857, 1);
    expect(table.frames.map((frame) => frame.offset)).toEqual([0x26000, null]);
  });

  test('what bpftrace named stays as it was named', () => {
    const table = newFrameTable(findMapping);
    table.user(parseStack(`\t7f195c57f503 clock_nanosleep+35 (${LIBC})`), 26857, 1);
    expect(table.frames).toEqual([
      { address: '0x7f195c57f503', symbol: 'clock_nanosleep', module: LIBC, offset: 35 },
    ]);
  });

  test('anonymous memory has no module, but an offset', () => {
    const jit = parseMaps('7f0000001000-7f0000002000 rwxp 00000000 00:00 0 \n');
    const table = newFrameTable(() => jit[0]);
    table.user([{ address: '0x7f0000001010' }], 1, 1);
    expect(table.frames[0]).toEqual({ address: '0x7f0000001010', symbol: null, module: null, offset: 16 });
  });
});

test('kernel frames are of the kernel, or of its module', () => {
  const table = newFrameTable(findMapping);
  table.kernel(parseStack('\tffffffff821f94c3 schedule+35\n\tffffffffc0401123 ext4_read_bh+162 ([ext4])'));
  expect(table.frames.map((frame) => frame.module)).toEqual(['[kernel]', '[ext4]']);
});

test('equal frames are one, and the order of a stack is kept', () => {
  const table = newFrameTable(findMapping);
  const stack = parseStack('\tffffffff821f94c3 schedule+35\n\tffffffff8220043e do_nanosleep+94');
  expect(table.kernel(stack)).toEqual([0, 1]);
  expect(table.kernel([...stack].reverse())).toEqual([1, 0]);
  expect(table.frames).toHaveLength(2);
});

test('the same place of two files is two frames', () => {
  const at = (path: string) => parseMaps(`7f0000001000-7f0000002000 r-xp 00000000 fe:00 1 ${path}\n`)[0];
  const table = newFrameTable((pid) => at(pid === 1 ? '/a.so' : '/b.so'));
  expect(table.user([{ address: '0x7f0000001010' }], 1, 1)).toEqual([0]);
  expect(table.user([{ address: '0x7f0000001010' }], 2, 1)).toEqual([1]);
});

test('an empty stack has no frames', () => {
  const table = newFrameTable(findMapping);
  expect(table.user([], 26857, 1)).toEqual([]);
  expect(table.frames).toEqual([]);
});
