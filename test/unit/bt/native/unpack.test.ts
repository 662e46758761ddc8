import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, expect, test } from 'vitest';
import { unpackProgram } from '../../../../bt/native/unpack.ts';

const PLACE = mkdtempSync(join(tmpdir(), 'btprof-unpack-'));
afterAll(() => rmSync(PLACE, { recursive: true }));
const BINARIES = { [process.arch]: Buffer.from('#!/bin/sh\n').toString('base64') };

test('a program is placed in a private directory and can be executed', () => {
  const program = unpackProgram(BINARIES, 'p', ['/proc/none', PLACE]);
  if ('problem' in program) throw new Error(program.problem);
  expect([program.directory, program.file].map((path) => statSync(path).mode & 0o777)).toEqual([
    0o700, 0o700,
  ]);
  program.remove();
  expect(existsSync(program.directory)).toBe(false);
});

test('a program is removed only once: a later file with its name is not touched', () => {
  const program = unpackProgram(BINARIES, 'p', [PLACE]);
  if ('problem' in program) throw new Error(program.problem);
  program.remove();
  mkdirSync(program.directory);
  writeFileSync(join(program.directory, 'theirs'), '');
  program.remove();
  expect(existsSync(join(program.directory, 'theirs'))).toBe(true);
});

test('a directory is removed at exit, but not another one that has its name by then', async () => {
  const script = `
    import { mkdirSync } from 'node:fs';
    import { unpackProgram } from './bt/native/unpack.ts';
    const unpack = () => unpackProgram(${JSON.stringify(BINARIES)}, 'p', [${JSON.stringify(PLACE)}]);
    const [kept, removed] = [unpack(), unpack()];
    removed.remove();
    mkdirSync(removed.directory);
    console.log(kept.directory, removed.directory);`;
  const { stdout } = await execa(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]);
  const [kept = '', removed = ''] = stdout.split(' ');
  expect([existsSync(kept), existsSync(removed)]).toEqual([false, true]);
});

test('a directory is refused where another user may put another program in its place', () => {
  const shared = join(PLACE, 'shared');
  const inside = join(shared, 'inside');
  mkdirSync(inside, { recursive: true, mode: 0o700 });
  chmodSync(shared, 0o777);
  expect(unpackProgram(BINARIES, 'p', [inside])).toEqual({
    problem: `another user may replace files in ${realpathSync(shared)}`,
  });
  chmodSync(shared, 0o1777);
  expect(unpackProgram(BINARIES, 'p', [inside])).toHaveProperty('file');
});

test('without a directory, or a binary for this machine, the reason is returned', () => {
  expect(unpackProgram(BINARIES, 'p', ['/proc/none'])).toEqual({
    problem: expect.stringContaining('/proc/none'),
  });
  expect(unpackProgram({}, 'p', [PLACE])).toEqual({ problem: expect.stringContaining(process.arch) });
});
