import fc from 'fast-check';
import { expect, test } from 'vitest';
import { distinct, hashOf, sameNumbers } from '../../../metrics/hash.ts';

const lists = fc.array(fc.array(fc.nat(3), { maxLength: 3 }), { maxLength: 200 });

test.each([
  ['a hash', hashOf],
  ['one hash for all', () => 7],
  ['hashes that follow one another, at the end of 32 bits', ([n = 0]: readonly number[]) => 2 ** 31 - 1 - n],
])('lists are distinguished by their content, with %s', (_, hash) => {
  fc.assert(
    fc.property(lists, (lists) => {
      const { items, indexOf } = distinct<readonly number[]>(hash, sameNumbers);
      const indexes = lists.map(indexOf);
      const texts = [...new Set(lists.map(String))];
      expect(items.map(String)).toEqual(texts);
      expect(indexes).toEqual(lists.map((list) => texts.indexOf(String(list))));
    }),
  );
});
