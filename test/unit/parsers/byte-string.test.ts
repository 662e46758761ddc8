import { expect, test } from 'vitest';
import { decodeBytes } from '../../../parsers/byte-string.ts';

/** Strings as returned by JSON.parse from the output of bpftrace 0.17 on x86_64. */
test.each([
  ['caf\uffffffc3\uffffffa9', 'café'],
  ['x\uffffffe2\uffffff80\uffffffae', 'x\u202e'],
  ['\uffffffF0\uffffff9f\uffffff9a\uffffff80!', '🚀!'],
  ['\uffffffc3\uffffffa9-\uffffffc3\uffffffa8', 'é-è'],
])('%j is decoded as %j', (printed, text) => {
  expect(decodeBytes(printed)).toBe(text);
});

test('a character cut at the end of a 15-byte name becomes a replacement character', () => {
  expect(decodeBytes('abcdefghijklmn\uffffffc3')).toBe('abcdefghijklmn\ufffd');
});

test.each(['', 'python3', 'ffc3', 'a "b", (c)\n', 'café', '\uffffzz'])('%j is unchanged', (text) => {
  expect(decodeBytes(text)).toBe(text);
});
