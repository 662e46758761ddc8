import { expect, test } from 'vitest';
import { mendBytes } from '../../../parsers/text.ts';

/** Strings as JSON.parse gives them out of what bpftrace 0.17 printed on x86_64. */
test.each([
  ['caf\uffffffc3\uffffffa9', 'café'],
  ['x\uffffffe2\uffffff80\uffffffae', 'x\u202e'],
  ['\uffffffF0\uffffff9f\uffffff9a\uffffff80!', '🚀!'],
  ['\uffffffc3\uffffffa9-\uffffffc3\uffffffa8', 'é-è'],
])('%j was %j', (printed, text) => {
  expect(mendBytes(printed)).toBe(text);
});

test('a character that the 15 bytes of a name cut in two becomes a replacement character', () => {
  expect(mendBytes('abcdefghijklmn\uffffffc3')).toBe('abcdefghijklmn\ufffd');
});

test.each(['', 'python3', 'ffc3', 'a "b", (c)\n', 'café', '\uffffzz'])('%j stays as it is', (text) => {
  expect(mendBytes(text)).toBe(text);
});
