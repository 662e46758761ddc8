import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveCommand } from '../../../../bt/driver/find-command.ts';
import { BtprofError } from '../../../../metrics/errors.ts';

const dir = realpathSync(mkdtempSync(join(tmpdir(), 'btprof-command-')));
const in_ = (name: string) => join(dir, name);

beforeAll(() => {
  for (const name of ['a', 'b', 'b/tool']) mkdirSync(in_(name));
  for (const [name, mode] of [
    ['a/run me', 0o755],
    ['b/run me', 0o755],
    ['a/plain', 0o644],
    ['b/only-b', 0o755],
    ['tool', 0o755],
  ] as const) {
    writeFileSync(in_(name), '#!/bin/sh\n');
    chmodSync(in_(name), mode);
  }
  writeFileSync(Buffer.concat([Buffer.from(`${dir}/a/`), Buffer.from([0xff])]), '', { mode: 0o755 });
  symlinkSync(in_('a/run me'), in_('a/link'));
  symlinkSync('gone', in_('a/dangling'));
});

afterAll(() => rmSync(dir, { recursive: true }));

function resolve(command: string | Buffer, ...path: string[]): string {
  const environment = path.length ? [`PATH=${path.join(':')}`] : [];
  return resolveCommand(
    Buffer.from(command),
    environment.map((entry) => Buffer.from(entry)),
  );
}

function failure(command: string | Buffer, ...path: string[]): BtprofError {
  try {
    resolve(command, ...path);
  } catch (error) {
    if (error instanceof BtprofError) return error;
    throw error;
  }
  return expect.unreachable();
}

describe('a command with a slash', () => {
  test('is taken as a path, whatever PATH contains', () => {
    expect(resolve(in_('a/run me'), in_('b'))).toBe(in_('a/run me'));
  });

  test('has its real path as its name', () => {
    expect(resolve(in_('a/link'))).toBe(in_('a/run me'));
  });

  test.each([
    ['absent', 127, 'there is no such file'],
    ['a/dangling', 127, 'there is no such file'],
    ['a/plain/x', 127, 'there is no such file'],
    ['a', 126, 'it is a directory'],
    ['a/plain', 126, 'permission denied'],
  ])('%s ends with %i: %s', (name, status, text) => {
    const error = failure(in_(name));
    expect(error.status).toBe(status);
    expect(error.message).toContain(text);
    expect(error.message).toContain(JSON.stringify(in_(name)));
  });
});

describe('a command without a slash', () => {
  test('is the first file with that name in PATH', () => {
    expect(resolve('run me', in_('a'), in_('b'))).toBe(in_('a/run me'));
    expect(resolve('run me', in_('b'), in_('a'))).toBe(in_('b/run me'));
  });

  test('is not a directory, and missing directories of PATH are skipped', () => {
    expect(resolve('only-b', in_('nowhere'), in_('a'), in_('b'))).toBe(in_('b/only-b'));
    expect(resolve('tool', in_('b'), dir)).toBe(in_('tool'));
  });

  test('is looked up in the last of several PATHs, as env sets it', () => {
    const environment = [`PATH=${in_('a')}`, 'HOME=/', `PATH=${in_('b')}`, 'PATHS=/'].map((e) =>
      Buffer.from(e),
    );
    expect(resolveCommand(Buffer.from('run me'), environment)).toBe(in_('b/run me'));
  });

  test('is found by its bytes, which need not be UTF-8', () => {
    expect(() => resolve(Buffer.from([0xff]), in_('a'))).not.toThrow();
    expect(failure(Buffer.from([0xfe]), in_('a')).status).toBe(127);
  });

  test('is looked up in /bin and /usr/bin if PATH is unset', () => {
    expect(resolve('sh')).toBe(realpathSync('/bin/sh'));
  });

  test('is not found in an empty PATH', () => {
    expect(failure('run me', '')).toMatchObject({ status: 127 });
  });

  test.each([
    ['absent', 127, 'command not found'],
    ['', 127, 'command not found'],
    ['plain', 126, 'it is in PATH but not executable'],
  ])('%j ends with %i: %s', (name, status, text) => {
    const error = failure(name, in_('a'), in_('b'));
    expect(error.status).toBe(status);
    expect(error.message).toContain(text);
  });

  test('an executable file is found after one that is not executable', () => {
    writeFileSync(in_('b/plain'), '#!/bin/sh\n', { mode: 0o755 });
    expect(resolve('plain', in_('a'), in_('b'))).toBe(in_('b/plain'));
  });
});

test('control characters in a name are escaped in messages', () => {
  expect(failure('a\u001b[31m\nb', in_('a')).message).not.toMatch(/\p{Cc}/u);
});
