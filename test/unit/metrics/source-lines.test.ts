import { describe, expect, test } from 'vitest';
import type { Frame } from '../../../metrics/ebpf-schema.ts';
import { withLines } from '../../../metrics/source-lines.ts';
import type { FilePlace } from '../../../metrics/symbols.ts';
import type { SourceLine } from '../../../parsers/addr2line.ts';

const MAIN: Frame = { address: '0x5010', symbol: 'main', module: '/bin/a', offset: 16 };
const KERNEL: Frame = { address: '0xffffffff821f94c3', symbol: 'schedule', module: '[kernel]', offset: 35 };
const NAMELESS: Frame = { address: '0x6020', symbol: null, module: '/lib/b.so', offset: 0x20 };
const NOWHERE = { file: null, line: null, inlined: false };

function placeIn(path: string, fileOffset: number): FilePlace {
  return { mapping: { start: 0n, end: 1n, fileOffset: 0n, file: 'fe:00 1', path }, fileOffset };
}

const line = (name: string | null, file: string | null, number: number | null): SourceLine => ({
  function: name,
  file,
  line: number,
});

/** Frames with places, and what is known of those. */
function lined(rows: readonly (readonly [Frame, readonly SourceLine[] | undefined])[]) {
  const places = rows.map(([, lines], index) => lines && placeIn('/bin/a', index));
  return withLines({ frames: rows.map(([frame]) => frame), places }, (asked) =>
    asked.map(({ fileOffset }) => rows[fileOffset]?.[1] ?? []),
  );
}

describe('a frame', () => {
  test('has the line of the source, and keeps its name and offset', () => {
    expect(lined([[MAIN, [line('main.cold', '/src/a.c', 9)]]]).frames).toEqual([
      { ...MAIN, file: '/src/a.c', line: 9, inlined: false },
    ]);
  });

  test('in which calls were inlined becomes as many, the innermost first', () => {
    const lines = [line('inner', '/src/a.h', 3), line(null, '/src/a.h', 5), line('main', '/src/a.c', 9)];
    expect(lined([[MAIN, lines]]).frames).toEqual([
      { ...MAIN, symbol: 'inner', offset: null, file: '/src/a.h', line: 3, inlined: true },
      { ...MAIN, symbol: null, offset: null, file: '/src/a.h', line: 5, inlined: true },
      { ...MAIN, file: '/src/a.c', line: 9, inlined: false },
    ]);
  });

  test('without a name takes the function of the debug information', () => {
    expect(lined([[NAMELESS, [line('hidden', '/src/b.c', 7)]]]).frames).toEqual([
      { ...NAMELESS, symbol: 'hidden', file: '/src/b.c', line: 7, inlined: false },
    ]);
  });

  test.each<[string, Frame, SourceLine[] | undefined]>([
    ['of no file', KERNEL, undefined],
    ['of which nothing is known', MAIN, []],
    ['of which no place is known', MAIN, [line(null, null, null)]],
    ['without a name, of which no name is known', NAMELESS, [line(null, null, null)]],
  ])('%s stays as it is, without a line', (_, frame, lines) => {
    expect(lined([[frame, lines]]).frames).toEqual([{ ...frame, ...NOWHERE }]);
  });
});

describe('a stack', () => {
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

test('lines are asked for in one question, of the frames that have a place', () => {
  const questions: (readonly FilePlace[])[] = [];
  const places = [undefined, placeIn('/bin/a', 7), undefined, placeIn('/lib/b.so', 9)];
  withLines({ frames: [KERNEL, MAIN, KERNEL, NAMELESS], places }, (asked) => {
    questions.push(asked);
    return [];
  });
  expect(questions).toEqual([[places[1], places[3]]]);
});

test('frames are not changed, and there may be fewer places than frames', () => {
  const frames = [MAIN, KERNEL];
  const { frames: found } = withLines({ frames, places: [placeIn('/bin/a', 0)] }, () => [
    [line('f', '/src/a.h', 1), line('main', '/src/a.c', 2)],
  ]);
  expect(found.map((frame) => frame.line)).toEqual([1, 2, null]);
  expect(frames).toEqual([MAIN, KERNEL]);
  expect(MAIN).not.toHaveProperty('line');
});
