import { describe, expect, test } from 'vitest';
import { dialectFor, type Settings } from '../../../bt/dialect.ts';
import { BtprofError } from '../../../metrics/errors.ts';

test.each([
  ['bpftrace v0.16.0\n', '0.16.0'],
  ['bpftrace v0.17.0\n', '0.17.0'],
  ['bpftrace v0.20.2', '0.20.2'],
  ['bpftrace v0.21.2-dirty', '0.21.2'],
  ['bpftrace v0.25.0-rc1-12-gabcdef', '0.25.0'],
  ['bpftrace v0.24', '0.24'],
  ['v1.2.10', '1.2.10'],
])('%j is version %s', (output, version) => {
  expect(dialectFor(output).version).toBe(version);
});

test.each(['bpftrace v0.14.0', 'bpftrace v0.15.99', 'bpftrace v0.9.4'])('%s is too old', (output) => {
  expect(() => dialectFor(output)).toThrow(BtprofError);
  expect(() => dialectFor(output)).toThrow(/too old: btprof needs 0\.16\.0/);
});

test.each(['', 'bash: bpftrace: not found', 'bpftrace vX.Y'])(
  '%j has no version and is quoted in the error',
  (output) => {
    expect(() => dialectFor(output)).toThrow(/printed no version number/);
    expect(() => dialectFor(output)).toThrow(JSON.stringify(output));
  },
);

test('the error has the exit status of a btprof failure, and a hint', () => {
  try {
    dialectFor('bpftrace v0.14.0');
    expect.unreachable();
  } catch (error) {
    expect(error).toMatchObject({ status: 125, hint: expect.stringContaining('--bpftrace PATH') });
  }
});

describe('differences between versions', () => {
  test.each([
    ['0.16.0', 'perf', 'shared'],
    ['0.17.1', 'perf', 'shared'],
    ['0.18.0', 'raw', 'shared'],
    ['0.24.9', 'raw', 'shared'],
    ['0.25.0', 'raw', 'inline'],
    ['0.27.1', 'raw', 'inline'],
    ['0.100.0', 'raw', 'inline'],
    ['1.0.0', 'raw', 'inline'],
  ])('%s prints stacks in %s mode and stores them %s', (version, stackMode, stackStore) => {
    expect(dialectFor(`bpftrace v${version}`)).toMatchObject({ stackMode, stackStore });
  });

  test.each([
    ['0.16.0', 2],
    ['0.21.9', 2],
    ['0.22.0', 1],
    ['0.27.1', 1],
  ])('%s needs %i map entries per key with stats()', (version, statsSlots) => {
    expect(dialectFor(`bpftrace v${version}`).statsSlots).toBe(statsSlots);
  });

  test.each([
    ['0.19.1', false],
    ['0.20.0', true],
    ['0.23.2', true],
    ['0.23.3', false],
    ['0.24.0', false],
    ['0.27.1', false],
  ])('%s may lose one of two simultaneous first counts: %s', (version, losesFirstCounts) => {
    expect(dialectFor(`bpftrace v${version}`).losesFirstCounts).toBe(losesFirstCounts);
  });

  test.each([
    ['0.16.0', false],
    ['0.24.9', false],
    ['0.25.0', true],
    ['0.27.1', true],
    ['1.0.0', true],
  ])('%s requires BTF: %s', (version, needsBtf) => {
    expect(dialectFor(`bpftrace v${version}`).needsBtf).toBe(needsBtf);
  });

  test.each(['0.16.0', '0.17.0', '0.23.2', '0.27.99'])('%s is tested and gets no warning', (version) => {
    expect(dialectFor(`bpftrace v${version}`).warnings).toEqual([]);
  });

  test.each(['0.28.0', '0.100.0', '99.0.0'])(
    'a warning says that %s is newer than all tested versions',
    (version) => {
      expect(dialectFor(`bpftrace v${version}`).warnings).toEqual([
        expect.stringContaining(`${version} is newer than`),
      ]);
    },
  );
});

describe('the environment', () => {
  const environmentOf = (version: string, settings: Partial<Settings> = {}) =>
    dialectFor(`bpftrace v${version}`).environment({
      mapEntries: 65_536,
      bufferPages: 1024,
      cpus: 2,
      ...settings,
    });

  test.each(['0.16.0', '0.17.1', '0.18.0', '0.19.1'])('of %s uses the old names of settings', (version) => {
    expect(environmentOf(version)).toMatchObject({
      BPFTRACE_MAP_KEYS_MAX: '65536',
      BPFTRACE_STRLEN: '64',
      BPFTRACE_MAX_MAP_KEYS: undefined,
      BPFTRACE_MAX_STRLEN: undefined,
    });
  });

  test.each(['0.20.0', '0.23.2', '0.27.1', '1.0.0'])('of %s uses the new names of settings', (version) => {
    expect(environmentOf(version)).toMatchObject({
      BPFTRACE_MAX_MAP_KEYS: '65536',
      BPFTRACE_MAP_KEYS_MAX: undefined,
      BPFTRACE_STRLEN: undefined,
    });
  });

  test.each([
    ['0.20.0', '64'],
    ['0.23.2', '64'],
    ['0.24.0', undefined],
    ['0.27.1', undefined],
    ['1.0.0', undefined],
  ])(
    'of %s limits strings to %s bytes, but only up to 0.23: the kernel rejects short strings of newer versions',
    (version, bytes) => {
      expect(environmentOf(version).BPFTRACE_MAX_STRLEN).toBe(bytes);
    },
  );

  test('has the same names for all versions, and unsets those that a version does not use', () => {
    expect(Object.keys(environmentOf('0.16.0'))).toEqual(Object.keys(environmentOf('0.27.0')));
  });

  test.each([
    ['0.17.0', '1'],
    ['0.18.1', '1'],
    ['0.19.0', undefined],
    ['0.27.0', undefined],
  ])('of %s disables user symbols: %s', (version, value) => {
    expect(environmentOf(version).BPFTRACE_NO_USER_SYMBOLS).toBe(value);
  });

  test.each([
    ['0.18.0', 1024, 2, '512'],
    ['0.18.0', 1024, 16, '64'],
    ['0.18.0', 2048, 24, '64'],
    ['0.18.0', 1024, 6, '128'],
    ['0.18.0', 4, 16, '1'],
    ['0.19.0', 1024, 2, '1024'],
    ['0.27.0', 8192, 128, '8192'],
  ])('of %s divides %i pages among %i CPUs into %s', (version, bufferPages, cpus, value) => {
    expect(environmentOf(version, { bufferPages, cpus }).BPFTRACE_PERF_RB_PAGES).toBe(value);
  });

  test('allows enough probes for a program', () => {
    expect(environmentOf('0.17.0').BPFTRACE_MAX_PROBES).toBe('512');
  });
});
