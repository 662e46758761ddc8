import {
  chmodSync,
  copyFileSync,
  fstatSync,
  mkdtempSync,
  openSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { readSourceLines } from '../../bt/symbols/line-tools.ts';
import type { SourceLine } from '../../parsers/addr2line.ts';
import { cases } from '../effort.ts';
import { lacks } from '../optional-tools.ts';
import { functionsOf, newWorkshop } from '../unit/bt/symbols/real-programs.ts';

/** `inner` is inlined into `middle`, and `middle` into `outer`. No calls of them remain. */
const INLINED = `
volatile int sink;
static inline __attribute__((always_inline)) int inner(int n) {
  sink = n;
  return sink * 3;
}
static inline __attribute__((always_inline)) int middle(int n) {
  int sum = 0;
  for (int i = 0; i < n; i++) sum += inner(i);
  return sum;
}
__attribute__((noinline)) int outer(int n) { return middle(n) + inner(n); }
int main(int argc, char **argv) { return outer(argc); }
`;

describe.skipIf(process.platform !== 'linux')('source lines', () => {
  const { in_, build, run, close } = newWorkshop('lines');
  chmodSync(in_(''), 0o755); // the tools run as nobody
  afterAll(close);
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  const pathOf = (tool: string) => run('sh', '-c', `command -v ${tool}`).trimEnd();
  /** A directory with only these tools; it is the only one in PATH. */
  const onlyTools = (...tools: string[]) => {
    const folder = mkdtempSync(in_('tools '));
    chmodSync(folder, 0o755);
    for (const tool of tools) symlinkSync(pathOf(tool), join(folder, tool));
    vi.stubEnv('PATH', folder);
  };
  const path = build('inlined', ['-g', '-O2'], INLINED);
  const addresses = functionsOf(path)
    .filter(({ name }) => ['outer', 'main'].includes(name))
    .flatMap(({ start, size }) => Array.from({ length: size }, (_, i) => start + i));
  const expected = addr2line(run, path, addresses);
  const names = (lines: readonly SourceLine[] | undefined) => lines?.map((line) => line.function);

  test('contain the inlined calls of a program', async () => {
    expect(expected.map((lines) => names(lines)?.join())).toContain('inner,middle,outer');
    expect(expected[0]?.at(-1)?.file).toBe(in_('inlined.c'));
  });

  describe.each(['addr2line', 'llvm-symbolizer'])('read by %s only', (tool) => {
    test.skipIf(lacks(tool))('match the output of addr2line', async () => {
      onlyTools(tool);
      expect(await readSourceLines({ path }, addresses)).toEqual(expected);
    });

    test.skipIf(lacks(tool))('are read from an open file whose name is gone', async () => {
      copyFileSync(path, in_(`gone ${tool}`));
      const descriptor = openSync(in_(`gone ${tool}`), 'r');
      unlinkSync(in_(`gone ${tool}`));
      onlyTools(tool);
      expect(await readSourceLines({ descriptor }, addresses)).toEqual(expected);
    });

    test.skipIf(lacks(tool))('keep the order of the addresses, which may repeat', async () => {
      onlyTools(tool);
      const backwards = [...addresses.toReversed(), ...addresses];
      expect(await readSourceLines({ path }, backwards)).toEqual([...expected.toReversed(), ...expected]);
    });

    test.skipIf(lacks(tool))('are empty outside of code', async () => {
      onlyTools(tool);
      const [outside, ...inside] = (await readSourceLines({ path }, [0, ...addresses])) ?? [];
      expect(outside).toEqual([]);
      expect(inside).toEqual(expected);
    });

    const broken = cases<[string, () => void]>(
      [['cut', () => truncateSync(copied('broken'), 3000)]],
      [
        ['text', () => writeFileSync(in_('broken'), 'text')],
        ['empty', () => writeFileSync(in_('broken'), '')],
        ['changed', () => writeFileSync(copied('broken'), 'x'.repeat(3000), { flag: 'r+' })],
      ],
    );

    test.skipIf(lacks(tool)).each(broken)('are empty for a file that is %s', async (_, make) => {
      make();
      onlyTools(tool);
      expect((await readSourceLines({ path: in_('broken') }, addresses))?.flat() ?? []).toEqual([]);
    });

    test.skipIf(lacks(tool))('are empty for a file that does not exist', async () => {
      onlyTools(tool);
      expect((await readSourceLines({ path: in_('nowhere') }, addresses))?.flat() ?? []).toEqual([]);
    });
  });

  test('are undefined without debug information', async () => {
    run('strip', '-g', '-o', in_('stripped'), path);
    expect(await readSourceLines({ path: in_('stripped') }, addresses)).toBeUndefined();
  });

  test('are read by the other tool if one knows only the functions', async () => {
    onlyTools('addr2line');
    const script = '#!/bin/sh\nwhile read -r address; do printf "%s\\nouter\\n??:0\\n" "$address"; done\n';
    writeFileSync(`${process.env.PATH}/llvm-symbolizer`, script, { mode: 0o755 });
    expect(await readSourceLines({ path }, addresses)).toEqual(expected);
  });

  test('are read by the other tool if one fails', async () => {
    onlyTools('addr2line');
    symlinkSync('/bin/false', `${process.env.PATH}/llvm-symbolizer`);
    expect(await readSourceLines({ path }, addresses)).toEqual(expected);
  });

  test('are undefined without a tool', async () => {
    onlyTools();
    expect(await readSourceLines({ path }, addresses)).toBeUndefined();
  });

  test.each([
    ['read', true],
    ['not read', false],
  ])('leave no descriptor open after they were %s', async (_, tools) => {
    const descriptor = openSync(path, 'r');
    if (!tools) onlyTools();
    expect((await readSourceLines({ descriptor }, addresses)) !== undefined).toBe(tools);
    expect(() => fstatSync(descriptor)).toThrow('EBADF');
  });

  function copied(name: string): string {
    copyFileSync(path, in_(name));
    return in_(name);
  }
});

/** The lines as printed by addr2line, without the fields that we ignore. */
function addr2line(
  run: (tool: string, ...args: string[]) => string,
  path: string,
  addresses: readonly number[],
): SourceLine[][] {
  const hex = addresses.map((address) => `0x${address.toString(16)}`);
  const blocks = run('addr2line', '-a', '-f', '-i', '-e', path, ...hex)
    .split(/^0x\w+\n/m)
    .slice(1);
  return blocks.map((block) =>
    [...block.matchAll(/^(.*)\n(.*):(\d+|\?).*\n/gm)].map(([, name, file, line]) => ({
      function: name as string,
      file: file as string,
      line: Number(line) || null,
    })),
  );
}
