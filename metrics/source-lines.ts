import type { SourceLine } from '../parsers/addr2line.ts';
import type { Frame } from './ebpf-schema.ts';
import type { FrameTable } from './frames.ts';
import type { Symbols } from './symbols.ts';

/** Frames with their lines. */
export interface LinedFrames {
  readonly frames: readonly Frame[];
  /** The indices of a stack in these frames. */
  readonly stack: (indices: readonly number[]) => number[];
}

/** Adds the lines of the source. Where calls were inlined, a frame becomes as many, the innermost first. */
export function withLines(
  { frames, places }: Pick<FrameTable, 'frames' | 'places'>,
  linesOf: NonNullable<Symbols['lines']>,
): LinedFrames {
  const placed = [...places.entries()].flatMap(([index, place]) => (place ? [{ index, place }] : []));
  const answers = linesOf(placed.map(({ place }) => place));
  const lines = new Map(placed.map(({ index }, i) => [index, answers[i] ?? []]));
  const lined: Frame[] = [];
  const indices = frames.map((frame, index) =>
    linedFrames(frame, lines.get(index) ?? []).map((one) => lined.push(one) - 1),
  );
  return { frames: lined, stack: (old) => old.flatMap((index) => indices[index] ?? []) };
}

/** The last one is that of the function itself, which keeps its name and offset. */
function linedFrames(frame: Frame, lines: readonly SourceLine[]): Frame[] {
  const own = lines.at(-1);
  const inlined = lines.slice(0, -1).map(({ function: symbol, file, line }) => {
    return { ...frame, symbol, offset: null, file, line, inlined: true };
  });
  const symbol = frame.symbol ?? own?.function ?? null;
  return [...inlined, { ...frame, symbol, file: own?.file ?? null, line: own?.line ?? null, inlined: false }];
}
