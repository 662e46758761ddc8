import type { Profile } from '../../../metrics/schema.ts';
import { sum } from '../../../metrics/sums.ts';
import { byThread, frameName, type StackFrame, type TimedStack } from '../../../metrics/timed-stacks.ts';
import { formatNs } from '../../../metrics/units.ts';
import { jsonText } from '../../plain-text.ts';

/** Maximum number of threads with a profile of their own. They are those with the most time. */
const MAX_THREADS = 50;

/**
 * Makes a file for speedscope (speedscope.app/file-format-schema.json): all threads together, then each one. Weights are
 * whole ns.
 */
export function speedscopeView(profile: Profile, all: readonly TimedStack[]): string {
  const { cmd, pids, btprof } = profile.metadata;
  const stacks = all.filter(({ timeNs }) => timeNs > 0);
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
  const threads = [...byThread(stacks).values()].sort((a, b) => timeOf(b) - timeOf(a)).slice(0, MAX_THREADS);
  const profiles = [
    sampled('all threads', stacks),
    ...threads.map((of) => sampled(threadName(of[0] as TimedStack, timeOf(of)), of)),
  ];
  return jsonText({
    $schema: 'https://www.speedscope.app/file-format-schema.json',
    name: cmd.join(' ') || (pids.length > 0 ? `process ${pids.join(', ')}` : 'the whole machine'),
    exporter: `btprof@${btprof}`,
    activeProfileIndex: 0,
    shared: { frames },
    profiles,
  });
}

interface SpeedscopeFrame {
  readonly name: string;
  readonly file?: string;
  readonly line?: number;
}

/** The table of frames. Functions with the same name, file and line share an entry. */
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
    // The reason is the innermost frame.
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
  return sum(stacks.map(({ timeNs }) => timeNs));
}
