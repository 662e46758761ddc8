import { describe, expect, test } from 'vitest';
import { dialectFor } from '../../../bt/dialect.ts';
import { BtprofError } from '../../../bt/errors.ts';

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
  '%j has no version, and is quoted',
  (output) => {
    expect(() => dialectFor(output)).toThrow(/printed no version number/);
    expect(() => dialectFor(output)).toThrow(JSON.stringify(output));
  },
);

test('a refusal is a failure of btprof, with what to do next', () => {
  try {
    dialectFor('bpftrace v0.14.0');
    expect.unreachable();
  } catch (error) {
    expect(error).toMatchObject({ status: 125, hint: expect.stringContaining('--bpftrace PATH') });
  }
});

test('the room of maps is set by both of its names, for each version ignores the other', () => {
  expect(dialectFor('bpftrace v0.17.0').environment(65_536)).toMatchObject({
    BPFTRACE_MAP_KEYS_MAX: '65536',
    BPFTRACE_MAX_MAP_KEYS: '65536',
  });
});

test('bpftrace is told to name no user code', () => {
  expect(dialectFor('bpftrace v0.17.0').environment(4096).BPFTRACE_NO_USER_SYMBOLS).toBe('1');
});

describe('what changes between versions', () => {
  test.each([
    ['0.16.0', 'initial'],
    ['0.22.9', 'initial'],
    ['0.23.0', 'own'],
    ['0.100.0', 'own'],
    ['1.0.0', 'own'],
  ])('%s counts processes in the %s PID namespace', (version, pidNamespace) => {
    expect(dialectFor(`bpftrace v${version}`).pidNamespace).toBe(pidNamespace);
  });

  test('a version newer than the newest tested is said to be', () => {
    expect(dialectFor('bpftrace v99.0.0').warnings).toEqual([
      expect.stringContaining('99.0.0 is newer than'),
    ]);
    expect(dialectFor('bpftrace v0.16.0').warnings).toEqual([]);
    expect(dialectFor('bpftrace v0.17.0').warnings).toEqual([]);
  });
});
