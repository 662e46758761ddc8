import { describe, expect, test } from 'vitest';
import { SLEEP_LOOKUPS } from '../sleep-recording.ts';
import type { Lookups } from '../symbol-answers.ts';
import { textTable } from './frame-tables.ts';

describe('code compiled by a runtime', () => {
  const maps = {
    '1:1': `\
7f0000001000-7f0000002000 rwxp 00000000 00:00 0 
7f0000002000-7f0000003000 r-xp 00000000 00:01 7   /memfd:doublemapper (deleted)
7f0000003000-7f0000004000 rwxp 00000000 00:00 0   [anon:v8]
7f0000004000-7f0000005000 r-xp 00000000 fe:00 1   /a.so
`,
  };
  const tableOf = (jit: Lookups['jit']) => textTable({ ...SLEEP_LOOKUPS, jit }, maps);
  const MODULE = '/tmp/perf-1.map';
  /** Names each address that is requested individually. */
  const compiledTable = (start = 0n) =>
    tableOf((_pid, _generation, address) => ({
      ...{ symbol: 'JS:*wait', offset: Number(address - start), module: MODULE },
    }));

  test.each([
    ['in memory without a file', '7f0000001010'],
    ['in a file without a directory', '7f0000002010'],
    ['in named memory', '7f0000003010'],
    ['in no mapping', '5f5e100'],
  ])('is requested by its process, program and address: %s', (_, at) => {
    const table = compiledTable(BigInt(`0x${at}`) - 16n);
    expect(table.user(at, 1, 3)).toMatchObject({ stack: [0], cut: 0 });
    expect(table.requests.compiled).toEqual([{ pid: 1, generation: 3, address: BigInt(`0x${at}`) }]);
    expect(table.frames).toEqual([{ address: `0x${at}`, symbol: 'JS:*wait', module: MODULE, offset: 16 }]);
  });

  test('is never requested in a file', () => {
    const table = compiledTable();
    table.user('7f0000004010\n7f0000004020', 1, 1);
    expect(table.requests.compiled).toEqual([]);
    expect(table.frames.map((frame) => frame.module)).toEqual(['/a.so', '/a.so']);
  });

  test('is requested at the call, and its offset is that of the return address', () => {
    const table = compiledTable(0x7f0000001000n);
    table.user('7f0000004010\n7f0000001020\n7f0000004000', 1, 1);
    expect(table.requests.compiled.map(({ address }) => address)).toEqual([0x7f000000101fn, 0x7f0000003fffn]);
    expect(table.frames[1]).toMatchObject({ address: '0x7f0000001020', offset: 0x20 });
  });

  test('counts as code even outside of mappings: the stack continues', () => {
    expect(compiledTable().user('7f0000004010\n5f5e100\n7f0000004020', 1, 1)).toMatchObject({
      stack: [0, 1, 2],
      cut: 0,
    });
  });

  test('without a known function is an unnamed frame in a mapping, and ends the stack outside of one', () => {
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
