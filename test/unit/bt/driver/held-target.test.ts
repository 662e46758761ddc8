import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { holdTarget } from '../../../../bt/driver/held-target.ts';
import { until } from '../../../fake/processes.ts';

const DIR = mkdtempSync(join(tmpdir(), 'btprof-held-'));
afterAll(() => rmSync(DIR, { recursive: true }));

const PATH = Buffer.from('PATH=/usr/bin:/bin');
const bytes = (...texts: (string | readonly number[])[]) =>
  texts.map((text) => (typeof text === 'string' ? Buffer.from(text) : Buffer.from(text)));

/** Holds a command that writes the file of proc(5) of its own process, and lets it go. */
async function copied(file: 'environ' | 'cmdline', words: readonly Buffer[], environment: readonly Buffer[]) {
  const to = join(DIR, file);
  const held = holdTarget([...bytes('cp', `/proc/self/${file}`, to), ...words], environment, []);
  held.release();
  expect(await held.exited).toEqual({ code: 0, signal: null });
  return readFileSync(to);
}

function joined(texts: readonly Buffer[]): Buffer {
  return Buffer.concat(texts.flatMap((text) => [text, Buffer.from([0])]));
}

describe('the command gets', () => {
  test('its environment, byte for byte: names that are no identifiers, bytes that are not UTF-8, and 1 MB', async () => {
    const environment = [
      PATH,
      ...bytes('BASH_FUNC_f%%=() {  :\n}', 'a.b/c-d=', 'PWD=elsewhere', '=', 'no equals sign'),
      ...bytes([0x58, 0x3d, 0xff, 0x01, 0x5c, 0xfe]),
      ...Array.from({ length: 10 }, (_, i) => Buffer.from(`B${i}=${'x'.repeat(100_000)}`)),
    ];
    // Vitest compares buffers byte for byte, which takes seconds.
    expect((await copied('environ', [], environment)).equals(joined(environment))).toBe(true);
  });

  test('its arguments, byte for byte', async () => {
    const odd = bytes('--suffix=', [0x2d, 0x53, 0x41, 0xff, 0x5c, 0x01]);
    const words = [...bytes('cp', '/proc/self/cmdline', join(DIR, 'cmdline')), ...odd];
    expect(await copied('cmdline', odd, [PATH])).toEqual(joined(words));
  });

  test('a word of 100,000 bytes that are not UTF-8', async () => {
    const held = holdTarget([...bytes('true'), Buffer.alloc(100_000, 0xff)], [PATH], []);
    held.release();
    expect(await held.exited).toEqual({ code: 0, signal: null });
  });
});

test('while it is held, no file of its process that others can read has its words or its environment', async () => {
  const held = holdTarget(bytes('true', 'a-word'), [PATH, ...bytes('TOKEN=secret')], []);
  const read = (file: string) => readFileSync(`/proc/${held.pid}/${file}`, 'latin1');
  await until(() => read('comm') === 'btprof-hold\n');
  expect([read('cmdline'), read('environ')]).toEqual([expect.stringMatching(/^btprof-hold\0\d\0$/), '']);
  held.abandon();
  expect(await held.exited).toEqual({ code: 125, signal: null });
});

describe('a command is found as execvp(3) does', () => {
  const script = join(DIR, 'script');
  writeFileSync(script, 'exit 7\n', { mode: 0o755 });

  test.each<[string, readonly Buffer[], readonly Buffer[], number]>([
    ['in PATH', bytes('script'), bytes(`PATH=/nonexistent:${DIR}`), 7],
    ['by its path, with = in it', bytes('sh', '-c', `cp "$0" a=b; exec ./a=b`, script), [PATH], 7],
    ['in the usual places without PATH', bytes('true'), [], 0],
    ['not at all', bytes('no-such-command'), [PATH], 127],
    ['but may not be executed', bytes('/etc/passwd'), [PATH], 126],
  ])('%s', async (_, words, environment, code) => {
    vi.spyOn(process, 'cwd').mockReturnValue(DIR);
    const held = holdTarget(words, environment, []);
    held.release();
    expect(await held.exited).toEqual({ code, signal: null });
    vi.restoreAllMocks();
  });
});

test('it ends when its place is given up, and leaves no file', async () => {
  const held = holdTarget(bytes('touch', join(DIR, 'ran')), [PATH], []);
  held.abandon();
  expect(await held.exited).toEqual({ code: 125, signal: null });
  expect(existsSync(join(DIR, 'ran'))).toBe(false);
});
