import type { Frame, MappingRow } from './fields.ts';
import { ON_CPU, UNACCOUNTED } from './kinds.ts';
import type { Measurement, StackRow } from './measurement.ts';
import type { Profile } from './schema.ts';
import { groupBy, sum } from './sums.ts';
import { keyOf } from './threads.ts';

/** A frame with what it stands in; those of one row of a table of frames are one object. */
export interface StackFrame {
  readonly frame: Frame;
  readonly kind: 'user' | 'kernel';
  /** What its file is mapped to. */
  readonly mapping: MappingRow | undefined;
}

/**
 * Time that one thread spent in one stack: what flame graphs and their like are made of. Its kind may also be UNACCOUNTED.
 */
export interface TimedStack extends Omit<StackRow, 'syscall' | 'user' | 'kernel'> {
  /** Root first: user frames, then those of the kernel. */
  readonly frames: readonly StackFrame[];
}

/**
 * All that a picture of a profile shows. Where the CPU was sampled, that is all of the time that threads lived: their waits,
 * and their time on the CPU as the account has it, miscounted or not, which samples only share out; threads that the
 * account has no row of have the time of their samples. What no stack has is a stack without frames: time on the CPU
 * between samples, and the unaccounted. The sum for each kind is then that of the rows of the account, but for unaccounted
 * time below 0, which is no time.
 */
export function stacksOf(profile: Profile, measurements: readonly Measurement[]): TimedStack[] {
  const parts = stackParts(profile, measurements);
  const of = (samples: boolean) =>
    parts
      .filter(({ stacks }) => (stacks?.samplesCpu ?? false) === samples)
      .flatMap((measurement) => partStacks(profile, measurement));
  const others = of(false);
  if (parts.every(({ stacks }) => !stacks?.samplesCpu)) return others;
  return [...others, ...runningStacks(of(true), profile.account)];
}

/** The profilers of a profile that have stacks. */
export function stackParts(profile: Profile, measurements: readonly Measurement[]): Measurement[] {
  return measurements.filter(({ name, stacks }) => stacks !== undefined && profile.ebpf[name] !== undefined);
}

/** The stacks of one part. */
export function partStacks(profile: Profile, { name, stacks: view }: Measurement): TimedStack[] {
  const part = profile.ebpf[name];
  if (!view || part === undefined) return [];
  const framesOf = frameObjects(view.frames(part), view.mappings(part));
  return view.rows(part).map((row) => {
    const { user, kernel, syscall, ...stack } = row;
    return { ...stack, frames: framesOf(row) };
  });
}

/** The rows of all parts, without frames, which take longest to look up. */
export function rowsOf(profile: Profile, measurements: readonly Measurement[]): StackRow[] {
  return stackParts(profile, measurements).flatMap(
    ({ name, stacks }) => stacks?.rows(profile.ebpf[name]) ?? [],
  );
}

/** Samples that share out the time on the CPU that the account has, and the time that it cannot explain. */
function runningStacks(samples: readonly TimedStack[], account: Profile['account']): TimedStack[] {
  if (!account) return [...samples];
  const running = byThread(samples);
  const rest = Object.entries(account.by_thread).flatMap(([key, thread]) => {
    const [pid, tid] = key.split(':').map(Number) as [number, number];
    const of = { pid, tid, comm: thread.comm, idle: false, open: false, count: 0, frames: [] };
    const ran = thread.on_cpu_ns + thread.miscounted_ns;
    const left = thread.time_ns - ran - thread.off_cpu_ns;
    return [
      ...shared(running.get(key) ?? [{ ...of, kind: ON_CPU, timeNs: 1 }], Math.max(0, ran)),
      ...(left > 0 ? [{ ...of, kind: UNACCOUNTED, timeNs: left }] : []),
    ];
  });
  const others = [...running].filter(([key]) => !Object.hasOwn(account.by_thread, key));
  return [...rest, ...others.flatMap(([, stacks]) => stacks)];
}

/** Stacks of each thread, by `PID:TID`. */
export function byThread(stacks: readonly TimedStack[]): Map<string, TimedStack[]> {
  return new Map(groupBy(stacks, keyOf).map((of) => [keyOf(of[0] as TimedStack), of]));
}

/** The time, shared out in whole ns in proportion to the stacks' own. */
function shared(stacks: readonly TimedStack[], ns: number): TimedStack[] {
  const total = sum(stacks.map(({ timeNs }) => timeNs));
  let [before, given] = [0, 0];
  return stacks.map((stack) => {
    before += stack.timeNs;
    const timeNs = Math.round((ns * before) / total) - given;
    given += timeNs;
    return { ...stack, timeNs };
  });
}

/** User frames before kernel frames, each outermost first: tables have them leaf first. */
function frameObjects(frames: readonly Frame[], mappings: readonly MappingRow[]) {
  const objects = (kind: StackFrame['kind']) => {
    const made: StackFrame[] = [];
    return (index: number): StackFrame => {
      const frame = frames[index] as Frame;
      made[index] ??= { frame, kind, mapping: mappings[frame.mapping ?? -1] };
      return made[index];
    };
  };
  const [user, kernel] = [objects('user'), objects('kernel')];
  return (row: Pick<StackRow, 'user' | 'kernel'>): StackFrame[] => [
    ...row.user.map(user).reverse(),
    ...row.kernel.map(kernel).reverse(),
  ];
}

/**
 * Name of a frame where stacks are added up by name: the function, or the file that it is in as `[libc.so.6]`, or
 * `[unknown]`.
 */
export function frameName({ frame: { symbol, module } }: StackFrame): string {
  return (
    symbol ??
    `[${
      module
        ?.replace(/^\[|\]$/g, '')
        .split('/')
        .at(-1) || 'unknown'
    }]`
  );
}

/** What stackcollapse-perf.pl puts behind names: `_[k]` for a function of the kernel, `_[i]` for an inlined one. */
export function frameMark({ kind, frame }: StackFrame): string {
  return kind === 'kernel' ? '_[k]' : frame.inlined ? '_[i]' : '';
}
