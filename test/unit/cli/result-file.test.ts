import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BtprofError } from '../../../bt/errors.ts';
import { readResult } from '../../../cli/result-file.ts';
import { captureHead, captureLine, captureRecord, endingRecord } from '../../../metrics/capture.ts';
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

describe('a result is read', () => {
  test.each([
    ['a document', JSON_TEXT],
    ['one without a newline at its end', JSON_TEXT.trim()],
    ['one with a byte order mark', `\ufeff${JSON_TEXT}`],
    ['one line', `${JSON.stringify(PROFILE)}\n`],
    ['JSON lines', `${LINES}\n`],
    ['JSON lines with CRLF', LINES.replaceAll('\n', '\r\n')],
    ['a packed document', gzipSync(JSON_TEXT)],
    ['packed lines', gzipSync(LINES)],
  ])('from %s', async (_, content) => {
    expect(await readResult(file(content))).toEqual(PROFILE);
  });

  test('also with fields that are new', async () => {
    const newer = JSON.stringify({ ...PROFILE, more: 1 });
    expect(await readResult(file(newer))).toEqual(PROFILE);
  });
});

describe('a capture', () => {
  const begin = `${captureHead('0.1.0')}${captureRecord('facts', SLEEP_FACTS)}`;
  const end = endingRecord(SLEEP_ENDING);

  test('is made a profile', async () => {
    const whole = `${begin}${SLEEP_LINES.map(captureLine).join('')}${end}`;
    const { metadata, ebpf } = await readResult(file(gzipSync(whole)));
    expect(metadata.cmd).toEqual(SLEEP_FACTS.cmd);
    expect(ebpf.offcpu?.total_events).toBe(2);
  });

  test('that breaks off at once is an error', async () => {
    await expect(readResult(file(gzipSync(captureHead('0.1.0'))))).rejects.toThrow(/nothing in it/);
  });
});

describe('what is no result is told in one sentence, with what to type', () => {
  test.each<[string, string | Uint8Array, RegExp]>([
    ['nothing', '', /is empty/],
    ['text', 'hello\u001b[2J', /is no JSON: it begins with "hello\\u001b\[2J"/],
    ['bytes', new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 0xff]), /is no JSON/],
    ['a document that breaks off', JSON_TEXT.slice(0, 3000), /is cut short/],
    ['lines that break off', LINES.slice(0, -9), /is cut short: its last line is no JSON/],
    [
      'lines without a profile',
      LINES.split('\n').slice(0, 2).join('\n'),
      /is cut short: its last line is not of kind/,
    ],
    ['a packed document that breaks off', gzipSync(JSON_TEXT).subarray(0, 900), /is cut short/],
    ['packed bytes that are damaged', gzipSync(JSON_TEXT).fill(7, 100, 200), /damaged gzip file/],
    ['JSON that is damaged', JSON_TEXT.replace('"metadata":', '"metadata"'), /is damaged: it is no JSON/],
    ['a list', '[1]', /no result of btprof/],
    ['null', 'null', /no result of btprof/],
    ['other JSON', '{"a":1}', /no result of btprof/],
    ['another document', '{"kind":"doctor","schema":"btprof/1"}', /is of kind "doctor"/],
    ['a kind that steers terminals', '{"kind":"\\u001b[2J\\u202e"}', /is of kind "\\u001b\[2J\?"/],
    [
      'a newer schema',
      JSON_TEXT.replace('btprof/1', 'btprof/2'),
      /has the schema "btprof\/2", and this btprof reads/,
    ],
    [
      'a field of another type',
      edited((p) => Object.assign(p.metadata, { wall_time_ns: 'x' })),
      /metadata\.wall_time_ns/,
    ],
    ['a part that is missing', edited((p) => Object.assign(p, { quality: undefined })), /"quality"/],
    [
      'an index beyond its table',
      edited((p) => p.ebpf.offcpu?.stacks[0]?.kernel.push(999)),
      new RegExp(`a frame beyond the ${PROFILE.ebpf.offcpu?.frames.length}\\b`),
    ],
  ])('%s', async (_, content, message) => {
    const error = await readResult(file(content)).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(BtprofError);
    expect(error.message).toMatch(message);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none may reach the terminal.
    expect(error.message).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202e]/);
    expect(error).toMatchObject({
      status: 125,
      hint: expect.stringMatching(/^(Give a file|Use the btprof)/),
    });
  });

  test.each([
    ['no-such-file', /there is no such file/],
    ['.', /it is a directory/],
  ])('%s', async (name, message) => {
    await expect(readResult(join(directory, name))).rejects.toThrow(message);
  });
});
