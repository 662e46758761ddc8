import { describe, expect, test } from 'vitest';
import { holdTarget } from '../../../../bt/driver/held-target.ts';
import { BtprofError } from '../../../../metrics/errors.ts';

const ENVIRONMENT = [Buffer.from('PATH=/usr/bin:/bin')];

describe('an argument that is not UTF-8', () => {
  test('is escaped, and reaches the command unchanged', async () => {
    const words = ['sh', '-c', 'exit "$#"'].map((word) => Buffer.from(word));
    const held = holdTarget(
      [...words, Buffer.from('sh'), Buffer.from([0x41, 0xff, 0x5c, 0x01])],
      ENVIRONMENT,
      [],
    );
    held.release();
    expect(await held.exited).toEqual({ code: 1, signal: null });
  });

  test('is reported if it is too long after escaping', () => {
    const word = Buffer.alloc(100_000, 0xff);
    const hold = () => holdTarget([Buffer.from('echo'), word], ENVIRONMENT, []);
    expect(hold).toThrow(BtprofError);
    expect(hold).toThrow('cannot start /bin/sh to hold the command: E2BIG.');
  });
});
