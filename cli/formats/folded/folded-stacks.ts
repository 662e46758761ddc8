import { ON_CPU, UNACCOUNTED } from '../../../metrics/kinds.ts';
import { frameMark, frameName, type StackFrame, type TimedStack } from '../../../metrics/timed-stacks.ts';
import type { Root } from './roots.ts';

/**
 * Makes folded stacks, as stackcollapse-perf.pl does: `frame;frame;frame NS`, root first, one line for each distinct stack,
 * sorted. Kernel functions end with `_[k]`, inlined ones with `_[i]`. Values are whole ns.
 *
 * @param roots what comes before the frames, in this order
 */
export function foldedView(stacks: readonly TimedStack[], roots: readonly Root[]): string {
  // The waits of many threads in one stack may exceed 2^53 ns.
  const sums = new Map<string, bigint>();
  for (const stack of stacks) {
    const folded = foldedStack(stack, roots);
    sums.set(folded, (sums.get(folded) ?? 0n) + BigInt(Math.round(stack.timeNs)));
  }
  const lines = [...sums].filter(([, ns]) => ns > 0n).map(([folded, ns]) => `${folded} ${ns}\n`);
  return lines.sort().join('');
}

/** The frames of a stack, without its value. */
export function foldedStack(stack: TimedStack, roots: readonly Root[]): string {
  const frames = stack.frames.length > 0 ? stack.frames.map(foldedFrame) : [emptyStackName(stack.kind)];
  const folded = [...roots.map((root) => plain(ROOT_FRAMES[root](stack))), ...frames].join(';');
  return folded.replace(SECOND_VALUE, '_$1');
}

/** A space and a number at the end, as in `worker 12`: readers would take it as the first value of a comparison. */
const SECOND_VALUE = /\s([\d.]+)$/;

/** Stands for a stack without frames. */
export function emptyStackName(kind: string): string {
  if (kind === ON_CPU) return '[on the CPU, not sampled]';
  return kind === UNACCOUNTED ? '[unaccounted]' : '[no stack]';
}

/** The same text as from stackcollapse-perf.pl with --pid and --tid. */
const ROOT_FRAMES: Readonly<Record<Root, (stack: TimedStack) => string>> = {
  process: ({ pid, comm }) => `${comm ?? '?'}-${pid}`,
  thread: ({ pid, tid, comm }) => `${comm ?? '?'}-${pid}/${tid}`,
  reason: ({ kind }) => kind,
};

function foldedFrame(frame: StackFrame): string {
  return plain(frameName(frame)) + frameMark(frame);
}

/** Removes the characters that separate frames and lines. */
function plain(name: string): string {
  return (
    name
      .replaceAll(';', ':')
      .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ')
      .trim() || '[unknown]'
  );
}
