import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { newObjectFiles } from '../../bt/symbols/object-files.ts';
import type { Mapping } from '../../parsers/proc.ts';
import { cases } from '../effort.ts';
import { newAsker } from '../unit/bt/symbols/asker.ts';
import { fileOffsets, functionsOf, newWorkshop, realFile } from '../unit/bt/symbols/real-programs.ts';

const SOURCE = `
#include <unistd.h>
#define APART __attribute__((noinline, noclone))
APART int leaf(int n) { return n * 3 + 1; }
APART int caller(int n) { return leaf(n) + leaf(n + 1) * n; }
APART int saving(int a, int b, int c) {
  for (int i = 0; i < c; i++) a += caller(b + i) ^ caller(c + a);
  return a + b * c;
}
APART int large(int n) {
  volatile char bytes[5000];
  for (int i = 0; i < 5000; i += n) bytes[i] = leaf(i);
  return bytes[n];
}
APART int waiting(void) { return pause() + 1; }
int main(int argc, char **argv) { return saving(argc, 2, 3) + large(argc) + waiting(); }
`;
const NAMES = ['leaf', 'caller', 'saving', 'large', 'waiting', 'main'];
const WITH = ['-fno-omit-frame-pointer', '-mno-omit-leaf-frame-pointer'];
const WITHOUT = ['-fomit-frame-pointer'];

describe.skipIf(process.platform !== 'linux' || process.arch !== 'x64')('a function', () => {
  const { in_, build, run, close } = newWorkshop('frameless');
  const files = newObjectFiles();
  const { frameless } = newAsker(files);
  afterAll(() => {
    files.close();
    close();
  });

  const mappingOf = (path: string): Mapping => {
    const { file } = realFile(path);
    files.see(file, { pid: process.pid, path });
    return { start: 0n, end: 0n, fileOffset: 0n, file, path };
  };
  /** The functions without a frame pointer. Expects the same answer at their first, a middle and their last byte. */
  const framelessIn = async (path: string, like = path) => {
    const [mapping, offsetOf] = [mappingOf(path), fileOffsets(path)];
    const functions = functionsOf(like).filter(({ name }) => NAMES.includes(name));
    expect(functions).toHaveLength(NAMES.length);
    const names: string[] = [];
    for (const { name, start, size } of functions) {
      const places = [0, size >> 1, size - 1].map((at) => ({ mapping, fileOffset: offsetOf(start + at) }));
      const answers = await frameless(places);
      expect(new Set(answers).size).toBe(1);
      if (answers[0]) names.push(name);
    }
    return names;
  };

  describe.each(cases(['-O2'], ['-O1', '-O3', '-Os']))('compiled with %s', async (optimised) => {
    const targets = cases<[string, ...string[]]>(
      [['with CET', '-fcf-protection=full', '-pie']],
      [
        ['for any address', '-pie', '-fPIE'],
        ['for a fixed address', '-no-pie', '-fno-pie'],
      ],
    );

    test.each(targets)(
      '%s has a frame pointer only if the compiler was told to keep it',
      async (what, ...flags) => {
        const program = (kind: string, more: readonly string[]) =>
          build(`${what} ${optimised} ${kind}`, [...flags, optimised, ...more], SOURCE);
        expect((await framelessIn(program('without', WITHOUT))).sort()).toEqual([...NAMES].sort());
        // A function that needs no stack has no frame, whatever the flags.
        expect(await framelessIn(program('with', WITH))).toEqual(['leaf']);
      },
    );
  });

  test('in a shared library lacks its frame pointer if it was compiled without one', async () => {
    const path = build('library.so', ['-shared', '-fPIC', '-O2', ...WITHOUT], SOURCE);
    expect(await framelessIn(path)).toHaveLength(NAMES.length);
  });

  describe('is not reported to lack its frame pointer', () => {
    const path = build('unknown', ['-O2', ...WITHOUT], SOURCE);

    test('if it has no name', async () => {
      const bare = in_('bare');
      copyFileSync(path, bare);
      run('strip', bare);
      expect(await framelessIn(bare, path)).toEqual([]);
    });

    test('if it is of another architecture', async () => {
      const bytes = readFileSync(path);
      bytes.writeUInt16LE(183, 18);
      writeFileSync(in_('arm'), bytes);
      expect(await framelessIn(in_('arm'), path)).toEqual([]);
    });

    test.each([0, 64, 2 ** 30])('outside of code, at %i', async (offset) => {
      expect(await frameless([{ mapping: mappingOf(path), fileOffset: offset }])).toEqual([false]);
    });

    test('in an unknown file, or in memory without a file', async () => {
      const offset = fileOffsets(path)(functionsOf(path).find(({ name }) => name === 'leaf')?.start ?? 0);
      const mappings: Mapping[] = [
        mappingOf(path),
        { ...mappingOf(path), file: 'ff:00 1' },
        { ...mappingOf(path), file: '00:00 0', path: '' },
      ];
      const places = mappings.map((mapping) => ({ mapping, fileOffset: offset }));
      expect(await frameless(places)).toEqual([true, false, false]);
    });
  });
});
