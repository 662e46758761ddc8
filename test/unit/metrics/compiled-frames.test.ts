import { describe, expect, test } from 'vitest';
import { addressSpaces, newFrameTable } from '../../../metrics/frames.ts';
import { decodeSpaces } from '../../../metrics/mappings.ts';
import type { Symbols } from '../../../metrics/symbols.ts';
import { SLEEP_SYMBOLS } from '../sleep-recording.ts';

describe('code that a runtime compiled', () => {
  const maps = {
    '1:1': `\
7f0000001000-7f0000002000 rwxp 00000000 00:00 0 
7f0000002000-7f0000003000 r-xp 00000000 00:01 7   /memfd:doublemapper (deleted)
7f0000003000-7f0000004000 rwxp 00000000 00:00 0   [anon:v8]
7f0000004000-7f0000005000 r-xp 00000000 fe:00 1   /a.so
`,
  };
  const tableOf = (jit: Symbols['jit']) =>
    newFrameTable(addressSpaces(decodeSpaces(maps)), { ...SLEEP_SYMBOLS, jit });
  const MODULE = '/tmp/perf-1.map';
  /** Names each address that is asked for by itself. */
  const compiledTable = (start = 0n) => {
    const asked: [number, number, bigint][] = [];
    const jit: Symbols['jit'] = (pid, generation, address) => {
      asked.push([pid, generation, address]);
      return { symbol: 'JS:*wait', offset: Number(address - start), module: MODULE };
    };
    return { asked, table: tableOf(jit) };
  };

  test.each([
    ['in memory of no file', '7f0000001010'],
    ['in a file of no folder', '7f0000002010'],
    ['in memory that has a name', '7f0000003010'],
    ['in no mapping', '5f5e100'],
  ])('is asked for by its process, program and address: %s', (_, at) => {
    const { asked, table } = compiledTable(BigInt(`0x${at}`) - 16n);
    expect(table.user(at, 1, 3)).toMatchObject({ stack: [0], cut: 0 });
    expect(asked).toEqual([[1, 3, BigInt(`0x${at}`)]]);
    expect(table.frames).toEqual([{ address: `0x${at}`, symbol: 'JS:*wait', module: MODULE, offset: 16 }]);
    expect(table.places[0]).toBeUndefined();
  });

  test('is never asked for in a file', () => {
    const { asked, table } = compiledTable();
    table.user('7f0000004010\n7f0000004020', 1, 1);
    expect(asked).toEqual([]);
    expect(table.frames.map((frame) => frame.module)).toEqual(['/a.so', '/a.so']);
  });

  test('is asked for at the call, and its offset is that of the address behind', () => {
    const { asked, table } = compiledTable(0x7f0000001000n);
    table.user('7f0000004010\n7f0000001020\n7f0000004000', 1, 1);
    expect(asked).toEqual([
      [1, 1, 0x7f000000101fn],
      [1, 1, 0x7f0000003fffn],
    ]);
    expect(table.frames[1]).toMatchObject({ address: '0x7f0000001020', offset: 0x20 });
  });

  test('is code though it is in no mapping: the stack goes on', () => {
    expect(compiledTable().table.user('7f0000004010\n5f5e100\n7f0000004020', 1, 1)).toMatchObject({
      stack: [0, 1, 2],
      cut: 0,
    });
  });

  test('that is not known is a frame without a name in a mapping, and ends the stack in none', () => {
    const table = tableOf(() => undefined);
    expect(table.user('7f0000001010\n7f0000002010\n5f5e100', 1, 1)).toMatchObject({
      stack: [0, 1],
      cut: 1,
    });
    expect(table.frames.map(({ symbol, module }) => [symbol, module])).toEqual([
      [null, null],
      [null, '/memfd:doublemapper (deleted)'],
    ]);
  });
});
