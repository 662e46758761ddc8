import { describe, expect, test } from 'vitest';
import type { Frame } from '../../../metrics/fields.ts';
import type { SourceLine } from '../../../parsers/addr2line.ts';
import { SLEEP_LOOKUPS } from '../sleep-recording.ts';
import { textTable } from './frame-tables.ts';

/** `main` is 16 bytes before its frame; /lib/b.so has no symbols. */
const MAPS = '5000-6000 r-xp 00000000 fe:00 1 /bin/a\n6000-7000 r-xp 00000000 fe:00 2 /lib/b.so\n';
const MAIN: Frame = { address: '0x5010', symbol: 'main', module: '/bin/a', offset: 16, mapping: 0 };
const KERNEL: Frame = { address: '0xffffffff821f94c3', symbol: 'schedule', module: '[kernel]', offset: 35 };
const NAMELESS: Frame = { address: '0x6020', symbol: null, module: '/lib/b.so', offset: 0x20, mapping: 0 };
const NOWHERE = { file: null, line: null, inlined: false };

/** A table with each of these frames as a stack, and with these lines. */
function tableOf(rows: readonly (readonly [Frame, readonly SourceLine[] | undefined])[], withLines = true) {
  const linesAt = new Map(rows.map(([{ address }, lines]) => [Number(address) & 0xfff, lines]));
  const table = textTable(
    {
      ...SLEEP_LOOKUPS,
      user: ({ path }, offset) => (path === '/bin/a' ? { symbol: 'main', offset } : undefined),
      lines: ({ fileOffset }) => linesAt.get(fileOffset) ?? [],
    },
    { '1:1': MAPS },
    undefined,
    withLines,
  );
  for (const [{ address, module }] of rows)
    if (module === '[kernel]') table.kernel(address.slice(2));
    else table.user(address.slice(2), 1, 1);
  return table;
}

const line = (name: string | null, file: string | null, number: number | null): SourceLine => ({
  function: name,
  file,
  line: number,
});

/** The frames and stacks of a result. */
function lined(rows: readonly (readonly [Frame, readonly SourceLine[] | undefined])[]) {
  return tableOf(rows).finished();
}

describe('a frame', () => {
  test('has a source line besides its name and offset', () => {
    expect(lined([[MAIN, [line('main.cold', '/src/a.c', 9)]]]).frames).toEqual([
      { ...MAIN, file: '/src/a.c', line: 9, inlined: false },
    ]);
  });

  test('with inlined calls becomes one frame per call, innermost first', () => {
    const lines = [line('inner', '/src/a.h', 3), line(null, '/src/a.h', 5), line('main', '/src/a.c', 9)];
    expect(lined([[MAIN, lines]]).frames).toEqual([
      { ...MAIN, symbol: 'inner', offset: null, file: '/src/a.h', line: 3, inlined: true },
      { ...MAIN, symbol: null, offset: null, file: '/src/a.h', line: 5, inlined: true },
      { ...MAIN, file: '/src/a.c', line: 9, inlined: false },
    ]);
  });

  test('without a name gets the function of the debug information', () => {
    expect(lined([[NAMELESS, [line('hidden', '/src/b.c', 7)]]]).frames).toEqual([
      { ...NAMELESS, symbol: 'hidden', file: '/src/b.c', line: 7, inlined: false },
    ]);
  });

  test.each<[string, Frame, SourceLine[] | undefined]>([
    ['of the kernel', KERNEL, undefined],
    ['without lines', MAIN, []],
    ['of an unknown place', MAIN, [line(null, null, null)]],
    ['without a name and of an unknown place', NAMELESS, [line(null, null, null)]],
  ])('%s stays unchanged, with an unknown line', (_, frame, lines) => {
    expect(lined([[frame, lines]]).frames).toEqual([{ ...frame, ...NOWHERE }]);
  });
});

describe('a stack with inlined calls', () => {
  const { stack, frames } = lined([
    [KERNEL, undefined],
    [MAIN, [line('inner', '/src/a.h', 3), line('main', '/src/a.c', 9)]],
    [NAMELESS, [line('hidden', '/src/b.c', 7)]],
  ]);

  test.each([
    [[0], [0]],
    [[1], [1, 2]],
    [
      [2, 1, 0, 1],
      [3, 1, 2, 0, 1, 2],
    ],
    [[], []],
  ])('%j becomes %j', (before, after) => {
    expect(stack(before)).toEqual(after);
  });

  test('has all frames, each once', () => {
    expect(frames.map((frame) => frame.symbol)).toEqual(['schedule', 'inner', 'main', 'hidden']);
  });
});

test('lines are requested for all places in files, if requested by the user', () => {
  const rows = [
    [KERNEL, undefined],
    [MAIN, []],
    [NAMELESS, []],
  ] as const;
  const { requests } = tableOf(rows);
  expect(requests.lines).toBe(true);
  expect(requests.user.map(({ mapping, fileOffset }) => [mapping.path, fileOffset])).toEqual([
    ['/bin/a', 0x10],
    ['/lib/b.so', 0x20],
  ]);
  expect(tableOf(rows, false).requests.lines).toBe(false);
});

test('without lines, frames and stacks stay unchanged', () => {
  const table = tableOf([[MAIN, [line('inner', '/src/a.h', 3), line('main', '/src/a.c', 9)]]], false);
  const { frames, stack } = table.finished();
  expect(frames).toEqual([MAIN]);
  expect(stack([0, 0])).toEqual([0, 0]);
});

test('functions in source lines are demangled too', () => {
  const lookups = {
    user: () => ({ symbol: 'main', offset: 16 }),
    lines: () => [line('_Z5innerv', '/src/a.h', 3), line('main', '/src/a.c', 9)],
    demangle: (name: string) => (name === '_Z5innerv' ? 'inner()' : undefined),
  };
  const table = textTable(lookups, { '1:1': MAPS }, undefined, true);
  table.user('5010', 1, 1);
  expect(table.finished().frames.map(({ symbol }) => symbol)).toEqual(['inner()', 'main']);
});
