import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readLine } from '../../../parsers/stream.ts';

test('any text at all is read, ignored or dropped', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      expect(['map', 'event', 'lost', 'fault', 'ignored', 'dropped']).toContain(readLine(text).kind);
    }),
    { numRuns: 20_000 },
  );
});
