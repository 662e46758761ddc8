import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test, vi } from 'vitest';
import { reportCommand } from '../../../../../cli/commands/report/report-command.ts';
import { captureHead, captureLine, captureRecord, endingRecord } from '../../../../../metrics/capture.ts';
import { SLEEP_ENDING, SLEEP_FACTS, SLEEP_LINES, SLEEP_SYMBOLS } from '../../../sleep-recording.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'btprof-report-'));
afterAll(() => rmSync(DIRECTORY, { recursive: true }));
const OUTPUT = join(DIRECTORY, 'result.jsonl');

const at = (type: string) => `{"type": "value", "data": ["${type}",3945600000000]}`;
const [, ...print] = SLEEP_LINES.slice(4, -1);
/** The capture up to its first complete sample, and the rest. */
const BEGIN = [
  captureHead('0.1.0'),
  captureRecord('facts', SLEEP_FACTS),
  ...[...SLEEP_LINES.slice(0, 3), at('tick'), ...print, at('tock')].map(captureLine),
  captureRecord('symbols', SLEEP_SYMBOLS),
  captureLine(SLEEP_LINES[3] ?? ''),
];
const REST = [...SLEEP_LINES.slice(4).map(captureLine), endingRecord(SLEEP_ENDING)];
const packed = (parts: readonly string[]) => gzipSync(parts.join(''));

function reportAsLines(path: string, output: string): Promise<number> {
  return reportCommand(path, { format: 'jsonl', idle: 'fold', output });
}

function writtenKinds(): string[] {
  const lines = readFileSync(OUTPUT, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line).kind);
}

test('a sample is written as soon as it is read', async () => {
  const pipe = join(DIRECTORY, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const reported = reportAsLines(pipe, OUTPUT);
  const writer = await open(pipe, 'w');
  await writer.write(packed(BEGIN));
  await vi.waitFor(() => expect(writtenKinds()).toEqual(['metadata', 'sample']), 10_000);
  await writer.write(packed(REST));
  await writer.close();
  expect(await reported).toBe(0);
  expect(writtenKinds()).toEqual(['metadata', 'sample', 'profile']);
});

test('a sample that cannot be written is an error of the output, not of the capture', async () => {
  const capture = join(DIRECTORY, 'whole.btprof');
  writeFileSync(capture, packed([...BEGIN, ...REST]));
  await expect(reportAsLines(capture, '/dev/full')).rejects.toMatchObject({
    message: 'cannot write to "/dev/full": ENOSPC.',
  });
});
