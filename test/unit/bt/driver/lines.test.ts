import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { readLines } from '../../../../bt/driver/lines.ts';

async function linesOf(...chunks: (string | Buffer)[]): Promise<string[]> {
  const lines: string[] = [];
  await readLines(Readable.from(chunks.map((chunk) => Buffer.from(chunk))), (line) => lines.push(line));
  return lines;
}

test.each([
  [['a\nb\n'], ['a', 'b']],
  [
    ['a\n', 'b', 'c\nd'],
    ['a', 'bc', 'd'],
  ],
  [['a', 'b', 'c'], ['abc']],
  [['a\n\nb\n'], ['a', '', 'b']],
  [[], []],
])('%j are the lines %j', async (chunks, lines) => {
  expect(await linesOf(...chunks)).toEqual(lines);
});

test('a character that two chunks share is whole', async () => {
  const bytes = Buffer.from('café\n');
  expect(await linesOf(bytes.subarray(0, 4), bytes.subarray(4))).toEqual(['café']);
});

test('what is no UTF-8 becomes U+FFFD, and costs no other line', async () => {
  expect(await linesOf(Buffer.from('caf\xc3"\nnext\n', 'latin1'))).toEqual(['caf\ufffd"', 'next']);
});

test('a line in thousands of chunks is read in linear time', async () => {
  const chunks = Array.from({ length: 4000 }, () => Buffer.alloc(8192, 'x'));
  const [line] = await linesOf(...chunks, '\n');
  expect(line).toHaveLength(4000 * 8192);
});
