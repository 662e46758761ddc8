import type { Frame, MappingRow, Offcpu } from './ebpf-schema.ts';
import type { Reason } from './reasons.ts';
import type { Profile } from './schema.ts';

/** What a thread did with its time: run, wait for a reason, or what neither the scheduler nor our waits have. */
export type TimeKind = Reason | 'on_cpu' | 'unaccounted';

/** A frame with what it stands in; those of one row of a table of frames are one object. */
export interface StackFrame {
  readonly frame: Frame;
  readonly kind: 'user' | 'kernel';
  /** What its file is mapped to. */
  readonly mapping: MappingRow | undefined;
}

/** Time that one thread spent in one stack: what flame graphs and their like are made of. */
export interface TimedStack {
  readonly pid: number;
  readonly tid: number;
  readonly comm: string | null;
  readonly kind: TimeKind;
  /** It waited for work to come. */
  readonly idle: boolean;
  /** A wait that had not ended at the end of the collection. */
  readonly open: boolean;
  readonly timeNs: number;
  /** Waits that ended, or samples. */
  readonly count: number;
  /** Root first: user frames, then those of the kernel. */
  readonly frames: readonly StackFrame[];
}

/** All that a picture of a profile shows: its waits, and where stacks were sampled too, all of the threads' time. */
export function stacksOf(profile: Profile): TimedStack[] {
  return profile.ebpf.oncpu ? livingStacks(profile) : waitingStacks(profile);
}

/** Every wait, also those that had not ended. Their sum is `total_time_ns` and all of `still_blocked`. */
export function waitingStacks({ ebpf: { offcpu } }: Profile): TimedStack[] {
  if (!offcpu) return [];
  const framesOf = frameObjects(offcpu);
  const comm = (pid: number, tid: number) => offcpu.thread_stats[`${pid}:${tid}`]?.comm ?? null;
  const ended = offcpu.stacks.map((row) => ({
    ...{ pid: row.pid, tid: row.tid, comm: comm(row.pid, row.tid), kind: row.reason },
    ...{ idle: row.idle !== null, open: false, timeNs: row.time_ns, count: row.count, frames: framesOf(row) },
  }));
  const open = offcpu.still_blocked.map((row) => ({
    ...{ pid: row.pid, tid: row.tid, comm: row.comm, kind: row.reason },
    ...{ idle: row.idle !== null, open: true, timeNs: row.blocked_ns, count: 0, frames: framesOf(row) },
  }));
  return [...ended, ...open];
}

/** Every sample, as the time that passes from one to the next. Their sum is `total_time_ns` of `oncpu`. */
export function runningStacks({ ebpf: { oncpu } }: Profile): TimedStack[] {
  if (!oncpu) return [];
  const framesOf = frameObjects(oncpu);
  const each = oncpu.total_samples > 0 ? oncpu.total_time_ns / oncpu.total_samples : 0;
  return oncpu.stacks.map((row) => ({
    ...{ pid: row.pid, tid: row.tid, comm: oncpu.thread_stats[`${row.pid}:${row.tid}`]?.comm ?? null },
    ...{ kind: 'on_cpu', idle: false, open: false, timeNs: row.count * each, count: row.count },
    frames: framesOf(row),
  }));
}

/**
 * All of the time that threads lived: their waits, and their time on the CPU as the account has it, miscounted or not, which
 * samples only share out; threads that the account does not know have the time of their samples. What no stack has is a stack
 * without frames: time on the CPU between samples, and the unaccounted. The sum for each kind is that of the account, but for
 * unaccounted time below 0, which is no time.
 */
export function livingStacks(profile: Profile): TimedStack[] {
  const { account } = profile;
  const waiting = waitingStacks(profile);
  if (!account) return [...waiting, ...runningStacks(profile)];
  const running = byThread(runningStacks(profile));
  const rest = Object.entries(account.by_thread).flatMap(([key, thread]) => {
    const [pid, tid] = key.split(':').map(Number) as [number, number];
    const of = { pid, tid, comm: thread.comm, idle: false, open: false, count: 0, frames: [] };
    const ran = thread.on_cpu_ns + thread.miscounted_ns;
    const left = thread.time_ns - ran - thread.off_cpu_ns;
    return [
      ...shared(running.get(key) ?? [{ ...of, kind: 'on_cpu', timeNs: 1 }], Math.max(0, ran)),
      ...(left > 0 ? [{ ...of, kind: 'unaccounted' as const, timeNs: left }] : []),
    ];
  });
  const others = [...running].filter(([key]) => !Object.hasOwn(account.by_thread, key));
  return [...waiting, ...rest, ...others.flatMap(([, stacks]) => stacks)];
}

/** Stacks of each thread, by `PID:TID`. */
export function byThread(stacks: readonly TimedStack[]): Map<string, TimedStack[]> {
  const threads = new Map<string, TimedStack[]>();
  for (const stack of stacks) {
    const key = `${stack.pid}:${stack.tid}`;
    const known = threads.get(key);
    if (known) known.push(stack);
    else threads.set(key, [stack]);
  }
  return threads;
}

/** The time, shared out in whole ns as the stacks have theirs. */
function shared(stacks: readonly TimedStack[], ns: number): TimedStack[] {
  const total = stacks.reduce((sum, { timeNs }) => sum + timeNs, 0);
  let [before, given] = [0, 0];
  return stacks.map((stack) => {
    before += stack.timeNs;
    const timeNs = Math.round((ns * before) / total) - given;
    given += timeNs;
    return { ...stack, timeNs };
  });
}

/** User frames before kernel frames, each outermost first: tables have them leaf first. */
function frameObjects(table: Pick<Offcpu, 'frames' | 'mappings'>) {
  const objects = (kind: StackFrame['kind']) => {
    const made: StackFrame[] = [];
    return (index: number): StackFrame => {
      const frame = table.frames[index] as Frame;
      made[index] ??= { frame, kind, mapping: table.mappings[frame.mapping ?? -1] };
      return made[index];
    };
  };
  const [user, kernel] = [objects('user'), objects('kernel')];
  return (row: { readonly user: readonly number[]; readonly kernel: readonly number[] }): StackFrame[] => [
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
