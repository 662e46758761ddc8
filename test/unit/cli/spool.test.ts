import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { newSpool } from '../../../cli/spool.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'btprof-spool-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Collects what is written, and accepts a limited number of chunks. */
function newSink(most = Infinity) {
  const chunks: Buffer[] = [];
  const write = (content: string | Uint8Array) => {
    chunks.push(Buffer.from(content));
    return chunks.length < most;
  };
  return { write, text: () => Buffer.concat(chunks).toString(), count: () => chunks.length };
}

test('returns everything that was written, once and in order', () => {
  const [spool, sink] = [newSpool(directory), newSink()];
  const texts = [0, 1, 2].map((i) => `${i}`.repeat(1_300_007));
  for (const text of texts) expect(spool.write(text)).toBe(true);
  spool.copyTo(sink);
  spool.copyTo(sink);
  expect(sink.text() === texts.join('')).toBe(true);
});

test('leaves nothing behind even if we are killed, because its file has no name', () => {
  const spool = newSpool(directory);
  spool.write('{}');
  expect(readdirSync(directory)).toEqual([]);
});

test('creates no file if nothing is written', () => {
  const sink = newSink();
  newSpool(join(directory, 'nowhere')).copyTo(sink);
  expect(sink.count()).toBe(0);
});

test('stops when the reader closes the pipe', () => {
  const [spool, sink] = [newSpool(directory), newSink(1)];
  spool.write('x'.repeat(3_000_017));
  spool.copyTo(sink);
  expect(sink.count()).toBe(1);
});

test('reports a missing directory in one sentence', () => {
  const missing = join(directory, 'nowhere');
  expect(() => newSpool(missing).write('{}')).toThrow(`cannot store samples in "${missing}": ENOENT.`);
  expect(existsSync(missing)).toBe(false);
});
