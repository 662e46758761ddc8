import { afterEach, expect, test, vi } from 'vitest';
import type { ObjectFiles } from '../../../../bt/symbols/object-files.ts';
import { newResolver } from '../../../../bt/symbols/resolver.ts';
import { NOTHING } from './asker.ts';

const FILES: Partial<ObjectFiles> = {
  source: () => undefined,
  isDenied: () => false,
  isOverwritten: () => false,
};

afterEach(() => void vi.restoreAllMocks());

/** The problems after looking up two places in each of three files, each of which takes that long. */
async function problemsAfter(ms: number): Promise<readonly string[]> {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => {
    now += ms;
    return now;
  });
  const { resolve } = newResolver(
    FILES as ObjectFiles,
    { find: () => undefined, problems: () => [] },
    undefined,
    undefined,
  );
  const user = [1, 2, 3].flatMap((i) => {
    const mapping = { start: 0n, end: 100n, fileOffset: 0n, file: `00:01 ${i}`, path: `/lib${i}.so` };
    return [10, 20].map((fileOffset) => ({ mapping, fileOffset }));
  });
  return (await resolve({ ...NOTHING, user })).problems;
}

test('files whose turn comes too late are left out, and counted', async () => {
  expect(await problemsAfter(6000)).toEqual([
    '4 addresses in 2 files have no names: looking up names took longer than 10 s',
    '/lib1.so was gone before it could be read',
  ]);
});

test('otherwise all files are looked up', async () => {
  expect(await problemsAfter(1000)).toHaveLength(3);
});
