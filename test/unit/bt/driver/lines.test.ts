import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { readLines } from '../../../../bt/driver/lines.ts';
import { readLine } from '../../../../parsers/stream.ts';
import { cases } from '../../../effort.ts';

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
])('%j contains the lines %j', async (chunks, lines) => {
  expect(await linesOf(...chunks)).toEqual(lines);
});

test('a character split between two chunks stays whole', async () => {
  const bytes = Buffer.from('café\n');
  expect(await linesOf(bytes.subarray(0, 4), bytes.subarray(4))).toEqual(['café']);
});

test('bytes that are not UTF-8 become U+FFFD, and no other line is lost', async () => {
  expect(await linesOf(Buffer.from('caf\xc3"\nnext\n', 'latin1'))).toEqual(['caf\ufffd"', 'next']);
});

test.each(cases([1000], [4000]))('a line in %i chunks is read in linear time', async (count) => {
  const chunks = Array.from({ length: count }, () => Buffer.alloc(8192, 'x'));
  const [line] = await linesOf(...chunks, '\n');
  expect(line).toHaveLength(count * 8192);
});

test('an overlong line is replaced by a short unreadable one, and other lines are not affected', async () => {
  const lines: string[] = [];
  const chunks = ['before\n', 'x'.repeat(60), 'x'.repeat(60), '\nafter\n', 'y'.repeat(101)].map((text) =>
    Buffer.from(text),
  );
  await readLines(Readable.from(chunks), (line) => lines.push(line), 100);
  expect(lines).toEqual([
    'before',
    '{"a line of 120 characters": "is too long"}',
    'after',
    '{"a line of 101 characters": "is too long"}',
  ]);
  expect(lines.map((line) => readLine(line).kind)).toEqual(['ignored', 'dropped', 'ignored', 'dropped']);
});

test.each(cases([10], [100]))('a map of more than %i MB is read completely', async (megabytes) => {
  const count = 1000 * megabytes + 3;
  const entry = (i: number) =>
    `"1,1,1,1,${'\\n7f0000001000'.repeat(76)}\\n${i.toString(16)}\\n": {"count": 1, "average": 5, "total": 5}`;
  function* chunks() {
    yield Buffer.from('{"type": "stats", "data": {"@waits": {');
    for (let i = 1; i <= count; i += 1) yield Buffer.from(`${i > 1 ? ', ' : ''}${entry(i)}`);
    yield Buffer.from('}}}\n');
  }
  let read: { bytes: number; entries: number } | undefined;
  await readLines(Readable.from(chunks()), (line) => {
    const map = readLine(line);
    read = { bytes: line.length, entries: map.kind === 'map' ? map.entries.length : 0 };
  });
  expect(read?.bytes).toBeGreaterThan(megabytes * 1e6);
  expect(read?.entries).toBe(count);
});
