import fc from 'fast-check';
import { test } from 'vitest';
import { readLine, type StreamLine } from '../../../parsers/stream.ts';

const KINDS = new Set<StreamLine['kind']>(['map', 'event', 'lost', 'fault', 'ignored', 'dropped']);

test('any text is read, ignored or dropped', () => {
  const text = fc.array(fc.nat(0x10ffff), { maxLength: 200 }).map((codes) => String.fromCodePoint(...codes));
  fc.assert(
    fc.property(text, (text) => KINDS.has(readLine(text).kind)),
    { numRuns: 20_000 },
  );
});
