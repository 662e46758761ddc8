import { expect, test } from 'vitest';
import { escapeControls, jsonText, printable } from '../../../cli/plain-text.ts';

/** ESC, DEL, CSI of C1, an override, an isolate, and the separators of lines and paragraphs. */
const HOSTILE = ['\x1b', '\x7f', '\x9b', '\u202e', '\u2066', '\u200f', '\u2028', '\u2029'];
const NAME = `a${HOSTILE.join('b')}ü`;
const CONTROLS = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/u;

test.each([0, 2])('JSON with an indent of %i has the same value, and controls no terminal', (indent) => {
  const text = jsonText({ [NAME]: [NAME] }, indent);
  expect(JSON.parse(text)).toEqual({ [NAME]: [NAME] });
  for (const line of text.split('\n')) expect(line).not.toMatch(CONTROLS);
  expect(text).toContain('ü');
});

test('a message keeps its lines, and shows what would control the terminal', () => {
  expect(escapeControls('name \x1b[2J\x9b\nnext')).toBe('name \\u001b[2J\\u009b\nnext');
});

test('a name for a page is one line', () => {
  expect(printable(`a\n${NAME}`)).not.toMatch(CONTROLS);
});

test('exactly the characters with these properties are escaped, except the newline', () => {
  const all = Array.from({ length: 2 ** 16 }, (_, code) => String.fromCharCode(code));
  const escaped = all.filter((character) => escapeControls(character) !== character);
  expect(escaped).toEqual(all.filter((character) => character !== '\n' && CONTROLS.test(character)));
});
