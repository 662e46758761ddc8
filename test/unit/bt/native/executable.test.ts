import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openExecutable } from '../../../../bt/native/executable.ts';
import { BINARIES } from '../../../../bt/native/hold-binary.ts';

const PLACE = mkdtempSync(join(tmpdir(), 'btprof-executable-'));
afterAll(() => rmSync(PLACE, { recursive: true }));

function open(places: readonly string[]) {
  const program = openExecutable(BINARIES, places);
  if ('problem' in program) throw new Error(program.problem);
  return program;
}

test('a program can be started, and has no name in any directory', () => {
  const program = open(['/proc/none', PLACE]);
  expect(readdirSync(PLACE)).toEqual([]);
  expect(statSync(program.path)).toMatchObject({ nlink: 0, mode: 0o100700 });
  // Without anything to read it ends with 125.
  expect(() => execFileSync(program.path, ['0'], { stdio: ['ignore', 'inherit', 'inherit'] })).toThrow(
    expect.objectContaining({ status: 125 }),
  );
  program.close();
  expect(() => statSync(program.path)).toThrow('ENOENT');
});

test('a directory of another user is as good as any', () => {
  const theirs = join(PLACE, 'theirs');
  mkdirSync(theirs);
  chmodSync(theirs, 0o777);
  open([theirs]).close();
  expect(readdirSync(theirs)).toEqual([]);
});

test('without a place, or a binary for this machine, there is a reason', () => {
  expect(openExecutable(BINARIES, ['/proc/none'])).toEqual({
    problem: expect.stringContaining('/proc/none'),
  });
  expect(openExecutable({}, [PLACE])).toEqual({ problem: expect.stringContaining(process.arch) });
});
