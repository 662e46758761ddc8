import { expect, test } from 'vitest';
import { $ } from 'zx';
import { BtprofError } from '../../../metrics/errors.ts';
import { Refusal, requireNothing, sentenceOf } from '../../../scripts/refusal.ts';

test('a refusal prints its own sentence', () => {
  expect(sentenceOf(new Refusal('PATH has no Chromium. Type: apt-get install chromium'))).toBe(
    'PATH has no Chromium. Type: apt-get install chromium',
  );
});

test('an error of btprof is followed by its hint', () => {
  expect(sentenceOf(new BtprofError('bpftrace is not installed.', 'Install it.'))).toBe(
    'bpftrace is not installed. Install it.',
  );
});

test('a failed command shows its status, and its error or last line', async () => {
  const failed = await $({ nothrow: true, quiet: true })`echo first >&2; echo 'E: no mirror' >&2; exit 3`;
  expect(sentenceOf(failed)).toBe('a command failed with status 3: E: no mirror');
});

test('a crash of Node shows its error', async () => {
  const failed = await $({ nothrow: true, quiet: true })`node -e 'throw new RangeError("too far")'`;
  expect(sentenceOf(failed)).toBe('a command failed with status 1: RangeError: too far');
});

test('any other error is reported as a bug, with its stack', () => {
  expect(sentenceOf(new TypeError('x is not a function'))).toMatch(
    /^this is a bug: TypeError: x is not a function\n +at /,
  );
});

test('missing things are one sentence each, with the command that installs them', () => {
  expect(() => requireNothing([])).not.toThrow();
  expect(() => requireNothing(['gcc. Type: apt-get install gcc', 'tracefs. Type: mount'])).toThrow(
    new Refusal('this machine lacks gcc. Type: apt-get install gcc\nIt also lacks tracefs. Type: mount'),
  );
});
