import type { Frame, MappingRow } from './fields.ts';
import { ON_CPU, UNACCOUNTED } from './kinds.ts';
import type { Measurement, StackRow } from './measurement.ts';
import type { Profile } from './schema.ts';
import { groupBy, sum } from './sums.ts';
import { keyOf } from './threads.ts';

/** A frame with its mapping. All uses of one row of a table of frames are the same object. */
export interface StackFrame {
  readonly frame: Frame;
  readonly kind: 'user' | 'kernel';
  /** The mapping that contains it. */
  readonly mapping: MappingRow | undefined;
}

/** Time that one thread spent in one stack, for flame graphs and similar formats. Its kind may also be UNACCOUNTED. */
export interface TimedStack extends Omit<StackRow, 'syscall' | 'user' | 'kernel'> {
  /** Root first: user frames, then those of the kernel. */
  readonly frames: readonly StackFrame[];
}

/**
 * Lists the stacks of a flame graph. If the CPU was sampled, they cover the lifetimes of all threads: their waits, and
 * their CPU time as in the account including drift, divided in proportion to their samples. A thread without a row in
 * the account has the time of its samples. Time that belongs to no stack becomes a stack without frames: CPU time of
 * threads without samples, and unaccounted time. So the sum of each kind equals that of the account's rows, except for
 * negative unaccounted time, which cannot be drawn.
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

/** The rows of all parts, without frames, because looking those up takes longest. */
export function allStackRows(profile: Profile, measurements: readonly Measurement[]): StackRow[] {
  return stackParts(profile, measurements).flatMap(
    ({ name, stacks }) => stacks?.rows(profile.ebpf[name]) ?? [],
  );
}

/** Divides the CPU time of the account in proportion to the samples, and adds the unaccounted time. */
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

/** Divides a time, in whole ns, in proportion to the times of the stacks. */
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

/** Name of a frame for merging stacks by name: the function, or its file as `[libc.so.6]`, or `[unknown]`. */
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

/**
 * Suffix of a name, as stackcollapse-perf.pl writes it: `_[k]` for a function of the kernel, `_[i]` for an inlined one.
 */
export function frameMark({ kind, frame }: StackFrame): string {
  return kind === 'kernel' ? '_[k]' : frame.inlined ? '_[i]' : '';
}
