import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readResult } from '../../../cli/result-file.ts';
import { captureHead, captureLine, captureRecord, endingRecord } from '../../../metrics/capture.ts';
import { BtprofError } from '../../../metrics/errors.ts';
import { recorded } from '../metrics/recorded-profiles.ts';
import { SLEEP_ENDING, SLEEP_FACTS, SLEEP_LINES } from '../sleep-recording.ts';

const PROFILE = recorded('0.17', 'sleepers');
const JSON_TEXT = JSON.stringify(PROFILE, null, 2);
const LINES = ['{"kind":"metadata","schema":"btprof/1"}', '{"kind":"sample"}', JSON.stringify(PROFILE)].join(
  '\n',
);

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'btprof-result-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function file(content: string | Uint8Array): string {
  const path = join(directory, 'result');
  writeFileSync(path, content);
  return path;
}

function edited(edit: (copy: typeof PROFILE) => void): string {
  const copy = structuredClone(PROFILE);
  edit(copy);
  return JSON.stringify(copy);
}

describe('reads a result', () => {
  test.each([
    ['a document', JSON_TEXT],
    ['a document without a final newline', JSON_TEXT.trim()],
    ['a document with a byte order mark', `\ufeff${JSON_TEXT}`],
    ['a document on one line', `${JSON.stringify(PROFILE)}\n`],
    ['JSON lines', `${LINES}\n`],
    ['JSON lines with CRLF', LINES.replaceAll('\n', '\r\n')],
    ['a gzip document', gzipSync(JSON_TEXT)],
    ['gzip lines', gzipSync(LINES)],
  ])('from %s', async (_, content) => {
    expect(await readResult(file(content))).toEqual(PROFILE);
  });

  test('with unknown fields', async () => {
    const newer = JSON.stringify({ ...PROFILE, more: 1 });
    expect(await readResult(file(newer))).toEqual(PROFILE);
  });
});

describe('a capture', () => {
  const begin = `${captureHead('0.1.0')}${captureRecord('facts', SLEEP_FACTS)}`;
  const end = endingRecord(SLEEP_ENDING);

  test('becomes a profile', async () => {
    const whole = `${begin}${SLEEP_LINES.map(captureLine).join('')}${end}`;
    const { metadata, ebpf } = await readResult(file(gzipSync(whole)));
    expect(metadata.cmd).toEqual(SLEEP_FACTS.cmd);
    expect(ebpf.offcpu?.total_events).toBe(2);
  });

  test('that ends at once is an error', async () => {
    await expect(readResult(file(gzipSync(captureHead('0.1.0'))))).rejects.toThrow(/it has no data/);
  });
});

describe('anything else is rejected with one sentence and a hint', () => {
  test.each<[string, string | Uint8Array, RegExp]>([
    ['nothing', '', /is empty/],
    ['text', 'hello\u001b[2J', /is not JSON: it begins with "hello\\u001b\[2J"/],
    ['bytes', new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 0xff]), /is not JSON/],
    ['a truncated document', JSON_TEXT.slice(0, 3000), /is truncated/],
    ['truncated lines', LINES.slice(0, -9), /is truncated: its last line is not JSON/],
    [
      'lines without a profile',
      LINES.split('\n').slice(0, 2).join('\n'),
      /is truncated: its last line is not of kind/,
    ],
    ['a truncated gzip document', gzipSync(JSON_TEXT).subarray(0, 900), /is truncated/],
    ['damaged gzip data', gzipSync(JSON_TEXT).fill(7, 100, 200), /damaged gzip file/],
    ['damaged JSON', JSON_TEXT.replace('"metadata":', '"metadata"'), /is damaged: it is not valid JSON/],
    ['a list', '[1]', /not a result of btprof/],
    ['null', 'null', /not a result of btprof/],
    ['other JSON', '{"a":1}', /not a result of btprof/],
    ['another document', '{"kind":"doctor","schema":"btprof/1"}', /is of kind "doctor"/],
    ['a kind with terminal escapes', '{"kind":"\\u001b[2J\\u202e"}', /is of kind "\\u001b\[2J\?"/],
    [
      'a newer schema',
      JSON_TEXT.replace('btprof/1', 'btprof/2'),
      /has the schema "btprof\/2"; this version of btprof reads/,
    ],
    [
      'a field of another type',
      edited((p) => Object.assign(p.metadata, { wall_time_ns: 'x' })),
      /metadata\.wall_time_ns/,
    ],
    ['a missing part', edited((p) => Object.assign(p, { quality: undefined })), /"quality"/],
    [
      'an index beyond its table',
      edited((p) => p.ebpf.offcpu?.stacks[0]?.kernel.push(999)),
      new RegExp(`a frame beyond the table of ${PROFILE.ebpf.offcpu?.frames.length}\\b`),
    ],
  ])('%s', async (_, content, message) => {
    const error = await readResult(file(content)).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(BtprofError);
    expect(error.message).toMatch(message);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters must not reach the terminal.
    expect(error.message).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202e]/);
    expect(error).toMatchObject({
      status: 125,
      hint: expect.stringMatching(/^(Give a file|Use the version)/),
    });
  });

  test.each([
    ['no-such-file', /it does not exist/],
    ['.', /it is a directory/],
  ])('%s', async (name, message) => {
    await expect(readResult(join(directory, name))).rejects.toThrow(message);
  });
});
