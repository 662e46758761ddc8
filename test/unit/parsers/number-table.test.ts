import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NumberTable } from '../../../parsers/number-table.ts';

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
/** Numbers from a small range, so that keys repeat, and from the full range. */
const key = fc.oneof(fc.integer({ min: -40, max: 40 }), int32);
const value = fc.integer({ min: -1, max: 2 ** 31 - 3 });

test('a table gives the answers of a Map, however large it grows', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(key, value), { maxLength: 1000 }), fc.array(key), (entries, others) => {
      const [table, map] = [new NumberTable(), new Map<number, number>()];
      for (const [key, value] of entries) {
        table.set(key, value);
        map.set(key, value);
      }
      expect(table.size).toBe(map.size);
      for (const key of [...map.keys(), ...others]) expect(table.get(key)).toBe(map.get(key));
    }),
  );
});
