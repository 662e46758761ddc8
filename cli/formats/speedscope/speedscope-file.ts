import type { Profile } from '../../../metrics/schema.ts';
import {
  byThread,
  frameName,
  type StackFrame,
  stacksOf,
  type TimedStack,
} from '../../../metrics/timed-stacks.ts';
import { formatNs } from '../../../metrics/units.ts';

/** Threads that have a profile of their own, besides the one of all: those with the most time. */
const MOST_THREADS = 50;

/**
 * The profile as speedscope reads it (speedscope.app/file-format-schema.json): all threads together, and then each one.
 * Weights are whole ns.
 */
export function speedscopeView(profile: Profile): string {
  const { cmd, pids, btprof } = profile.metadata;
  const stacks = stacksOf(profile).filter(({ timeNs }) => timeNs > 0);
  const { frames, sampleOf } = newFrames();
  const sampled = (name: string, of: readonly TimedStack[]) => ({
    type: 'sampled',
    name,
    unit: 'nanoseconds',
    startValue: 0,
    endValue: timeOf(of),
    samples: of.map(sampleOf),
    weights: of.map(({ timeNs }) => timeNs),
  });
  const threads = [...byThread(stacks).values()].sort((a, b) => timeOf(b) - timeOf(a)).slice(0, MOST_THREADS);
  const profiles = [
    sampled('all threads', stacks),
    ...threads.map((of) => sampled(threadName(of[0] as TimedStack, timeOf(of)), of)),
  ];
  return `${JSON.stringify({
    $schema: 'https://www.speedscope.app/file-format-schema.json',
    name: cmd.join(' ') || (pids.length > 0 ? `process ${pids.join(', ')}` : 'the whole machine'),
    exporter: `btprof@${btprof}`,
    activeProfileIndex: 0,
    shared: { frames },
    profiles,
  })}\n`;
}

interface SpeedscopeFrame {
  readonly name: string;
  readonly file?: string;
  readonly line?: number;
}

/** The table of frames; those of functions that share name and place are one. */
function newFrames() {
  const frames: SpeedscopeFrame[] = [];
  const indices = new Map<string, number>();
  const known = new Map<StackFrame, number>();
  const indexOf = (frame: SpeedscopeFrame): number => {
    const key = JSON.stringify(frame);
    const index = indices.get(key) ?? frames.push(frame) - 1;
    indices.set(key, index);
    return index;
  };
  const indexOfFrame = (frame: StackFrame): number => {
    const index = known.get(frame) ?? indexOf(speedscopeFrame(frame));
    known.set(frame, index);
    return index;
  };
  const sampleOf = (stack: TimedStack) => {
    const of = stack.frames.map(indexOfFrame);
    // The reason is where the thread was last.
    return [...of, indexOf({ name: `[${stack.kind}${stack.open ? ', not ended' : ''}]` })];
  };
  return { frames, sampleOf };
}

function speedscopeFrame(of: StackFrame): SpeedscopeFrame {
  const { file, line, module } = of.frame;
  const place = file ?? module;
  return {
    name: frameName(of),
    ...(place ? { file: place } : {}),
    ...(file && line ? { line } : {}),
  };
}

function threadName({ pid, tid, comm }: TimedStack, ns: number): string {
  return `${comm ?? '?'} ${pid}:${tid}, ${formatNs(ns)}`;
}

function timeOf(stacks: readonly TimedStack[]): number {
  return stacks.reduce((sum, { timeNs }) => sum + timeNs, 0);
}
