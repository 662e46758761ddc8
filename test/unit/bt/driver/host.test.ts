import { describe, expect, test } from 'vitest';
import { readDialect } from '../../../../bt/driver/host.ts';
import { fakeBpftrace } from '../../../fake/bpftrace.ts';

describe('the host', () => {
  async function ask(answer: string) {
    const fake = fakeBpftrace([], answer);
    try {
      return await readDialect(fake.path);
    } finally {
      fake.remove();
    }
  }

  test('creates programs for the installed version', async () => {
    expect(await ask('echo bpftrace v0.23.2')).toMatchObject({ version: '0.23.2' });
  });

  test.each([
    ['too old', 'echo bpftrace v0.15.0', /bpftrace 0\.15\.0 is too old: btprof needs 0\.16\.0 or newer/],
    ['something else', 'echo hello', /printed no version number, but "hello"/],
    ['failing', 'echo broken >&2; exit 9', /--version failed: it ended with status 9/],
    ['answering without end', 'exec yes', /--version failed: it printed too much/],
  ])('rejects a version command that is %s', async (_, answer, sentence) => {
    await expect(ask(answer)).rejects.toMatchObject({
      message: expect.stringMatching(sentence),
      status: 125,
    });
  });

  test.each([
    ['/no/bpftrace', /bpftrace is missing.*"\/no\/bpftrace"/],
    ['/etc/passwd/bpftrace', /--version failed: ENOTDIR/],
  ])('%s: is reported in one sentence', async (path, sentence) => {
    await expect(readDialect(path)).rejects.toThrow(sentence);
  });
});
