import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { PROFILERS } from '../../../bt/profilers/profiler-registry.ts';
import { capturedProfile, openCapture, readCapture } from '../../../cli/capture-file.ts';
import { BtprofError } from '../../../metrics/errors.ts';
import { schemasOf } from '../../../metrics/schema.ts';
import { readLine } from '../../../parsers/stream.ts';
import { attempts } from '../../effort.ts';
import { SLEEP_ENDING, SLEEP_FACTS, SLEEP_LINES, SLEEP_SYMBOLS, sleepProfile } from '../sleep-recording.ts';

const { profileSchema } = schemasOf(PROFILERS);
const DIRECTORY = mkdtempSync(join(tmpdir(), 'btprof-capture-'));
afterAll(() => rmSync(DIRECTORY, { recursive: true }));
const FILE = join(DIRECTORY, 'sleep.btprof');

/** Writes the capture of a sleep as its run does, with these lines before the last ones. */
function writeCapture(path: string, lines = SLEEP_LINES, most?: number) {
  const capture = openCapture(path, most);
  capture.begin(SLEEP_FACTS, [{ pattern: /^never$/, idle: true }]);
  for (const line of lines) capture.onLine(line, readLine(line));
  const warnings = capture.warnings();
  return {
    bytes: capture.end(SLEEP_FACTS, SLEEP_ENDING, SLEEP_SYMBOLS),
    warnings,
    failure: capture.failure(),
  };
}

test('a capture gives the profile of its run, and its size is reported', async () => {
  const { bytes, warnings, failure } = writeCapture(FILE);
  expect({ bytes, warnings, failure }).toEqual({
    bytes: statSync(FILE).size,
    warnings: [],
    failure: undefined,
  });
  expect(capturedProfile(await readCapture(FILE))).toEqual(sleepProfile());
});

test('a collection that never begins leaves the older capture whole', async () => {
  const path = join(DIRECTORY, 'older.btprof');
  writeCapture(path);
  const older = readFileSync(path);
  const capture = openCapture(path);
  for (let i = 0; i < 20_000; i++)
    capture.onLine('Attaching 12 probes, and much more than a block of such text', { kind: 'ignored' });
  expect(readFileSync(path).equals(older)).toBe(true);
  capture.begin(SLEEP_FACTS, []);
  capture.onLine('x'.repeat(2 ** 20), { kind: 'ignored' });
  expect(readFileSync(path).equals(older)).toBe(false);
});

test('only the owner of a capture can read it, also if it replaces a file that others could read', () => {
  const modeOf = (path: string) => statSync(path).mode & 0o777;
  expect(modeOf(FILE)).toBe(0o600);
  const path = join(DIRECTORY, 'readable.btprof');
  writeFileSync(path, '', { mode: 0o644 });
  writeCapture(path);
  expect(modeOf(path)).toBe(0o600);
});

test('a capture at its size limit skips further samples with a warning, but includes the end', async () => {
  const at = (type: string) => `{"type": "value", "data": ["${type}",3945662000000]}`;
  // Random text, which does not compress.
  const noise = Array.from({ length: 60 }, (_, i) => `{"type": "map", "data": {"@calls": {"5,${i}": ${i}}}}`);
  const filler = Array.from({ length: 40_000 }, () => `${Math.random()}`.repeat(2));
  const print = [at('tick'), ...noise, at('tock')];
  const lines = [...SLEEP_LINES.slice(0, 3), ...filler, ...print, ...print, ...SLEEP_LINES.slice(3)];
  const path = join(DIRECTORY, 'bounded.btprof');
  const { warnings } = writeCapture(path, lines, 2 ** 18);
  expect(warnings).toEqual(['the capture reached 0.25 MiB: 2 samples are not in it']);
  const { ebpf } = capturedProfile(await readCapture(path));
  expect(ebpf).toEqual(sleepProfile().ebpf);
});

test('a full disk ends the capture but not the run', () => {
  const { failure } = writeCapture('/dev/full');
  expect(failure).toMatchObject({ message: 'cannot write to "/dev/full": ENOSPC.' });
});

describe('an unreadable file is reported in a sentence', () => {
  const other = (name: string, content: string | Uint8Array) => {
    const path = join(DIRECTORY, name);
    writeFileSync(path, content);
    return path;
  };
  test.each([
    ['a missing file', () => join(DIRECTORY, 'none'), /none" cannot be read: it does not exist\./],
    ['a directory', () => DIRECTORY, /it is a directory/],
    ['an empty file', () => other('empty', ''), /empty" ends before the collection began/],
    ['a JSON result', () => other('json', '{"kind":"profile"}'), /not a gzip file, or it is damaged/],
    [
      'another gzip file',
      () => other('gz', gzipSync('hello\n')),
      /begins with "hello", which is not a capture/,
    ],
    [
      'a damaged one',
      () =>
        other(
          'damaged',
          readFileSync(FILE).map((byte, i) => (i === 900 ? byte ^ 1 : byte)),
        ),
      /damaged/,
    ],
  ])('%s', async (_, path, words) => {
    const error = await readCapture(path()).catch((problem: Error) => problem);
    expect(error).toBeInstanceOf(BtprofError);
    expect(error).toMatchObject({ message: expect.stringMatching(words) });
  });
});

test('a truncated capture is read as far as possible', { timeout: 60_000 }, async () => {
  const whole = readFileSync(FILE);
  const path = join(DIRECTORY, 'cut');
  let read = 0;
  for (let length = 0; length < whole.length; length += 23) {
    writeFileSync(path, whole.subarray(0, length));
    const capture = await readCapture(path).catch((problem: Error) => problem);
    if (capture instanceof Error) {
      expect(capture.message).toMatch(/ends before the collection began|it begins with/);
      continue;
    }
    read++;
    const profile = profileSchema.parse(capturedProfile(capture));
    if (!profile.metadata.incomplete) expect(profile).toEqual(sleepProfile());
  }
  expect(read).toBeGreaterThan(20);
});

test('damaged captures are read, or rejected with a sentence', { timeout: 120_000 }, async () => {
  const text = gunzipSync(readFileSync(FILE));
  const path = join(DIRECTORY, 'mutated');
  const edit = fc.record({
    at: fc.noBias(fc.nat(1_000_000)),
    removed: fc.oneof(fc.constantFrom(0, 1), fc.nat(500)),
    scrap: fc.oneof(
      fc.constantFrom(
        '"',
        '{',
        '}',
        '\n',
        ',',
        '-1',
        '1e400',
        'null',
        'true',
        '>',
        '__proto__',
        'facts {}\n',
      ),
      fc.string({ maxLength: 9 }),
    ),
  });
  const apply = (bytes: Buffer, { at, removed, scrap }: { at: number; removed: number; scrap: string }) => {
    const start = Math.floor((at / 1e6) * bytes.length);
    return Buffer.concat([bytes.subarray(0, start), Buffer.from(scrap), bytes.subarray(start + removed)]);
  };
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(edit, { minLength: 1, maxLength: 4 }), async (packed, edits) => {
      // Mutates the text, or the bytes into which it is packed.
      const bytes = packed ? edits.reduce(apply, readFileSync(FILE)) : gzipSync(edits.reduce(apply, text));
      writeFileSync(path, bytes);
      try {
        profileSchema.parse(capturedProfile(await readCapture(path)));
      } catch (error) {
        if (!(error instanceof BtprofError)) throw error;
        refused++;
      }
    }),
    { numRuns: attempts(200, 1000) },
  );
  expect(refused).toBeGreaterThan(100);
  expect(refused).toBeLessThan(1000);
});
