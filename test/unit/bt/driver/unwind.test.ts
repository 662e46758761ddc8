import { describe, expect, test } from 'vitest';
import { dialectFor } from '../../../../bt/dialect.ts';
import { dwarfPids, unwindsDwarf } from '../../../../bt/driver/unwind.ts';
import { BtprofError } from '../../../../metrics/errors.ts';

const [OLD, NEW] = [dialectFor('bpftrace v0.17.0'), dialectFor('bpftrace v0.27.1')];

test.each([
  ['0.25.1', 'x86_64', 'too old'],
  ['0.26.0', 'x86_64', 'yes'],
  ['0.27.1', 'x86_64', 'yes'],
  ['0.17.0', 'aarch64', 'no'],
  ['0.27.1', 'aarch64', 'no'],
])('bpftrace %s on %s unwinds by DWARF: %s', (version, arch, able) => {
  expect(unwindsDwarf(dialectFor(`bpftrace v${version}`), arch)).toBe(able);
});

describe('the processes to unwind by DWARF', () => {
  test('are none with --unwind fp', () => {
    expect(dwarfPids('fp', [1, 7], NEW, 'x86_64')).toEqual([]);
  });

  test('are all with --unwind dwarf', () => {
    expect(dwarfPids('dwarf', [1, 7], NEW, 'x86_64')).toEqual([1, 7]);
  });

  test.each<[string, typeof OLD, string]>([
    ['an old bpftrace', OLD, 'x86_64'],
    ['another architecture', NEW, 'aarch64'],
  ])('are none on %s, unless DWARF is requested', (_, dialect, arch) => {
    expect(dwarfPids('fp', [1], dialect, arch)).toEqual([]);
    expect(dwarfPids('auto', [1], dialect, arch)).toEqual([]);
    expect(() => dwarfPids('dwarf', [1], dialect, arch)).toThrow(BtprofError);
  });

  test('cause an error with advice if DWARF is requested but not available', () => {
    const refusal = (dialect: typeof OLD, arch: string) => {
      try {
        return dwarfPids('dwarf', [1], dialect, arch);
      } catch (error) {
        return error;
      }
    };
    expect(refusal(OLD, 'x86_64')).toMatchObject({
      message: expect.stringContaining('--unwind dwarf needs bpftrace 0.26 or newer, and this is 0.17.0.'),
    });
    expect(refusal(OLD, 'aarch64')).toMatchObject({
      message: expect.stringContaining('--unwind dwarf needs x86_64, and this is aarch64.'),
    });
  });
});
