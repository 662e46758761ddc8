import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addRow, type FunctionRow, newRows } from '../../../parsers/symbol-ranges.ts';
import { inOrder, newSymbolTable, type SymbolTable } from '../../../parsers/symbol-table.ts';
import { attempts } from '../../effort.ts';

/** A table whose functions are named by their index. */
function tableOf(functions: readonly Omit<FunctionRow, 'position'>[], problems: string[] = []): SymbolTable {
  const rows = newRows(functions.length);
  functions.forEach(({ start, end, sized, merit }, position) => {
    addRow(rows, { start, end, sized, merit, position });
  });
  return newSymbolTable(rows, () => ({ nameAt: String, bytes: 1000 }), problems);
}

const row = (start: number, end: number, more: Partial<FunctionRow> = {}) => ({
  start,
  end,
  sized: true,
  merit: 0,
  ...more,
});

describe('a table', () => {
  test('may be empty', () => {
    const table = tableOf([]);
    expect(table).toMatchObject({ size: 0, bytes: 1000, problems: [] });
    for (const at of [0, 1, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])
      expect(table.find(at)).toBeUndefined();
  });

  test('has its size, memory and problems', () => {
    expect(tableOf([row(0, 16), row(16, 32)], ['a problem'])).toMatchObject({
      size: 2,
      bytes: 1000 + 2 * 24,
      problems: ['a problem'],
    });
  });

  test('has addresses up to 2^53, and lengths up to 4 GiB', () => {
    const table = tableOf([row(2 ** 52, 2 ** 53 - 1), row(2 ** 20, 2 ** 20 + 8)]);
    expect(table.find(2 ** 52 + 2 ** 32 - 2)).toEqual({ name: '0', start: 2 ** 52, size: 2 ** 32 - 1 });
    expect(table.find(2 ** 52 + 2 ** 32 - 1)).toBeUndefined();
    expect(table.find(2 ** 20)?.name).toBe('1');
  });

  test('finds nothing if a name is missing', () => {
    const rows = newRows(1);
    addRow(rows, { ...row(0, 8), position: 0 });
    const table = newSymbolTable(rows, () => ({ nameAt: () => undefined, bytes: 0 }), []);
    expect(table.find(4)).toBeUndefined();
  });
});

test('joined tables are searched in their order', () => {
  const [first, second] = [tableOf([row(0, 8)], ['one']), tableOf([row(0, 8), row(8, 24)], ['two'])];
  const both = inOrder([first, second]);
  expect([4, 10, 24].map((at) => both.find(at)?.size)).toEqual([8, 16, undefined]);
  expect(both).toMatchObject({ size: 3, bytes: first.bytes + second.bytes, problems: ['one', 'two'] });
});

describe('random functions', () => {
  const address = fc.nat(40);
  const anyFunction = fc.record({
    start: address,
    length: fc.integer({ min: 1, max: 20 }),
    sized: fc.boolean(),
    merit: fc.constantFrom(0, 1, 2047, 2048, 65535),
  });

  test('are found as by a search through all of them', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(
        fc.array(anyFunction, { maxLength: 12 }),
        fc.constantFrom(0, 2000, 2 ** 31 - 20, 2 ** 32 - 20, 2 ** 53 - 100),
        (functions, base) => {
          const rows = functions.map(({ start, length, ...rest }) =>
            row(base + start, base + start + length, rest),
          );
          const table = tableOf(rows);
          const addresses = Array.from({ length: 62 }, (_, i) => base + i);
          expect(addresses.map(table.find)).toEqual(addresses.map(slowFind(rows)));
        },
      ),
      { numRuns: attempts(300, 3000) },
    );
  });

  /** The documented behaviour. */
  function slowFind(rows: readonly Omit<FunctionRow, 'position'>[]) {
    const next = (start: number) =>
      rows.reduce(
        (least, r) => (r.start > start ? Math.min(least, r.start) : least),
        Number.POSITIVE_INFINITY,
      );
    const isLabel = (label: (typeof rows)[number]) =>
      rows.some((r) => r.sized && r.start < label.start && label.start < r.end);
    const ranges = rows
      .map((r, index) => ({ ...r, index, end: r.sized ? r.end : Math.min(r.end, next(r.start)) }))
      .filter((r) => r.sized || !isLabel(r))
      .sort((a, b) => b.start - a.start || b.merit - a.merit || a.index - b.index);
    return (at: number) => {
      const best = ranges.find((r) => r.start <= at && at < r.end);
      return best && { name: String(best.index), start: best.start, size: best.end - best.start };
    };
  }
});

describe('many functions', () => {
  const COUNT = attempts(100_000, 300_000);
  const shapes: [string, (index: number) => Omit<FunctionRow, 'position'>][] = [
    ['adjacent', (i) => row(16 * i, 16 * i + 16)],
    ['nested', (i) => row(i, 2 * COUNT - i)],
    ['in steps', (i) => row(i, i + COUNT)],
    ['at one address', (i) => row(5, 6 + i, { merit: i % 65536 })],
    ['without a size, inside the first', (i) => row(i, i + COUNT, { sized: i === 0 })],
  ];

  test.each(shapes)('%s', { timeout: 60_000 }, (_, shape) => {
    const table = tableOf(Array.from({ length: COUNT }, (_, i) => shape(i)));
    for (let at = 0; at < 2 * COUNT; at += 101) table.find(at);
    expect(table.size).toBeLessThanOrEqual(2 * COUNT);
    expect(table.find(5)).toBeDefined();
  });
});
