import { unlinkSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { newObjectFiles } from '../../bt/symbols/object-files.ts';
import type { FileAddress } from '../../metrics/symbols.ts';
import { newAsker } from '../unit/bt/symbols/asker.ts';
import {
  fileOffsets,
  functionsOf,
  newWorkshop,
  realFile,
  watchTools,
} from '../unit/bt/symbols/real-programs.ts';

/** The tests know the lines of `first` and `second` by number. */
const SOURCE = `\
static inline __attribute__((always_inline)) int inner(int n) { return n * 3 + 1; }
__attribute__((noinline)) int first(int n) {
  return inner(n); }
__attribute__((noinline)) int second(int n) { return n * 5 + 1; }
int main(int argc, char **argv) { return first(argc) + second(argc); }
`;

describe.skipIf(process.platform !== 'linux')('user code', () => {
  const workshop = newWorkshop('user-lines');
  const { in_, build, run, close } = workshop;
  const tools = watchTools(workshop, ['llvm-symbolizer', 'addr2line']);
  const files = newObjectFiles();
  beforeEach(() => {
    vi.stubEnv('PATH', `${tools.path}:${process.env.PATH}`);
    tools.forget();
  });
  afterEach(() => void vi.unstubAllEnvs());
  afterAll(() => {
    files.close();
    close();
  });

  /** A place in a file as if it were mapped. */
  const placeIn = (path: string, fileOffset: number, file = realFile(path).file): FileAddress => ({
    mapping: { start: 0n, end: 0n, fileOffset: 0n, file, path },
    fileOffset,
  });
  const seen = (path: string) => {
    files.see(realFile(path).file, { pid: process.pid, path });
    return path;
  };
  /** The starts of its functions. Must be called while the file exists. */
  const startsIn = (path: string) => {
    const offsetOf = fileOffsets(path);
    const { file } = realFile(path);
    const starts = functionsOf(path).map(({ name, start }) => [name, placeIn(path, offsetOf(start), file)]);
    return Object.fromEntries(starts) as Record<'first' | 'second' | 'main', FileAddress>;
  };
  const program = (name: string) => build(name, ['-g', '-O2'], SOURCE);
  const [one, other] = [program('one'), program('other')];
  const lineIn = (path: string, line: number, name: string) => ({ function: name, file: `${path}.c`, line });

  describe('source lines', () => {
    test('are in the order of the places, from one tool process per object', async () => {
      const [ofOne, ofOther] = [startsIn(seen(one)), startsIn(seen(other))];
      const nowhere = placeIn('', 0, '00:00 0');
      const places = [ofOther.second, ofOne.first, nowhere, ofOther.first, ofOne.second];
      expect(await newAsker(files).lines(places)).toEqual([
        [lineIn(other, 4, 'second')],
        [lineIn(one, 1, 'inner'), lineIn(one, 3, 'first')],
        [],
        [lineIn(other, 1, 'inner'), lineIn(other, 3, 'first')],
        [lineIn(one, 4, 'second')],
      ]);
      expect(tools.started()).toHaveLength(2);
    });

    test('are empty without places, and no tool is started', async () => {
      expect(await newAsker(files).lines([])).toEqual([]);
      expect(tools.started()).toEqual([]);
    });

    test('are read from a file that was deleted after it was seen', async () => {
      const path = seen(program('deleted'));
      const { second } = startsIn(path);
      unlinkSync(path);
      expect(await newAsker(files).lines([second])).toEqual([[lineIn(path, 4, 'second')]]);
    });

    test('are read from a separate debug file of the same build', async () => {
      const path = program('split');
      run('objcopy', '--only-keep-debug', path, `${path}.debug`);
      run('strip', path, '-o', in_('bare'));
      run('objcopy', `--add-gnu-debuglink=${path}.debug`, in_('bare'));
      const { second } = startsIn(path);
      const place = placeIn(seen(in_('bare')), second.fileOffset);
      expect(await newAsker(files).lines([place])).toEqual([[lineIn(path, 4, 'second')]]);
    });

    test('are empty without debug information, which is not a problem', async () => {
      const path = seen(build('plain', [], SOURCE));
      const { lines, problems } = newAsker(files);
      expect(await lines([startsIn(path).second])).toEqual([[]]);
      expect(tools.started()).toEqual([]);
      expect(await problems()).toEqual([]);
    });

    test('are empty without a tool, which is reported once per object', async () => {
      const places = [one, other].map((path) => startsIn(seen(path)).first);
      vi.stubEnv('PATH', '/nonexistent');
      const { lines, problems } = newAsker(files);
      expect([await lines(places), await lines(places)].flat()).toEqual([[], [], [], []]);
      expect(await problems()).toEqual(
        [one, other].map(
          (path) =>
            `the lines of ${path} could not be read by llvm-symbolizer or addr2line, which run without privileges`,
        ),
      );
    });
  });

  describe('problems', () => {
    test('are empty if everything can be read', async () => {
      const { user, lines, problems } = newAsker(files);
      const { first } = startsIn(seen(one));
      await user(first.mapping, first.fileOffset);
      await lines([first]);
      expect(await problems()).toEqual([]);
    });

    test('are empty in memory without a file', async () => {
      const { user, problems } = newAsker(files);
      for (const path of ['', '[stack]', '[anon:v8]']) await user(placeIn(path, 0, '00:00 0').mapping, 0);
      expect(await problems()).toEqual([]);
    });

    test.each(['text', ''])('include a file that is not an ELF file, once: %j', async (content) => {
      const path = in_(`no ELF ${content}`);
      writeFileSync(path, content);
      const place = placeIn(seen(path), 0);
      const { user, lines, problems } = newAsker(files);
      for (let i = 0; i < 3; i++) await user(place.mapping, i);
      expect(await lines([place])).toEqual([[]]);
      expect(await problems()).toEqual([expect.stringMatching(/ could not be read: \S/)]);
      expect((await problems())[0]).toContain(path);
    });

    test('include cut names, and other functions of that file have their names', async () => {
      const path = seen(build('long', [], `${SOURCE} int ${'f'.repeat(4097)}(void) { return 7; }`));
      const { second } = startsIn(path);
      const { user, problems } = newAsker(files);
      expect((await user(second.mapping, second.fileOffset))?.symbol).toBe('second');
      expect(await problems()).toEqual([
        `some functions of ${path} have no name: .symtab: 1 functions have names cut at 4096 bytes`,
      ]);
    });

    test('include a file that was gone, until it is found', async () => {
      const path = program('late');
      const { first } = startsIn(path);
      const { user, lines, problems } = newAsker(files);
      const ask = async () => (await user(first.mapping, first.fileOffset))?.symbol;
      expect([await ask(), await ask()]).toEqual([undefined, undefined]);
      expect(await lines([first])).toEqual([[]]);
      expect(await problems()).toEqual([`${path} was gone before it could be read`]);
      seen(path);
      expect(await ask()).toBe('first');
      expect(await problems()).toEqual([]);
    });
  });
});
