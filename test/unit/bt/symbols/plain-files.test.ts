import { execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { openRegular, readRegular, sourceOf } from '../../../../bt/symbols/plain-files.ts';
import { parseStat } from '../../../../parsers/proc.ts';

describe('an open file', () => {
  test('is read at the requested offset, and not beyond its end', () => {
    const descriptor = openSync('package.json', 'r');
    const source = sourceOf(descriptor);
    const text = readFileSync('package.json');
    expect(source.size).toBe(text.length);
    expect(source.read(7, 13)).toEqual(text.subarray(7, 20));
    expect(source.read(text.length - 5, 13)).toEqual(text.subarray(-5));
    expect(source.read(text.length + 5, 13)).toHaveLength(0);
    closeSync(descriptor);
  });
});

describe.skipIf(process.platform !== 'linux')('a path', () => {
  const dir = mkdtempSync(join(tmpdir(), 'btprof-plain-'));
  afterAll(() => rmSync(dir, { recursive: true }));

  test('of a regular file is read, and no descriptor stays open', () => {
    const path = join(dir, 'file');
    writeFileSync(path, 'content');
    const before = readdirSync('/proc/self/fd').length;
    expect(readRegular(path, (source) => source.read(3, 4).toString())).toBe('tent');
    expect(() =>
      readRegular(path, () => {
        throw new Error('broken');
      }),
    ).toThrow('broken');
    expect(readdirSync('/proc/self/fd').length).toBe(before);
  });

  test.each(['/dev/null', '/', '/nowhere/at/all'])('%s is not opened', (path) => {
    expect(openRegular(path)).toBeUndefined();
  });

  test('of a FIFO does not wake a process that waits to write to it', async () => {
    const path = join(dir, 'fifo');
    execFileSync('mkfifo', [path]);
    const writer = spawn('sh', ['-c', 'echo text > "$0"', path]);
    onTestFinished(() => void writer.kill('SIGKILL'));
    const state = () => parseStat(readFileSync(`/proc/${writer.pid}/stat`, 'latin1'))?.state;
    await vi.waitUntil(() => state() === 'S', { timeout: 10_000, interval: 5 });
    expect(openRegular(path)).toBeUndefined();
    expect(execFileSync('cat', [path], { timeout: 10_000 }).toString()).toBe('text\n');
  });
});
