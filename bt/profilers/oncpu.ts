import { z } from 'zod';
import { count, frame, index, mapping, ns, pid, threadKey } from '../../metrics/fields.ts';
import type { FrameTable } from '../../metrics/frames.ts';
import { distinct, hashOf, sameNumbers } from '../../metrics/hash.ts';
import { ON_CPU } from '../../metrics/kinds.ts';
import type { Reduced, StackView, Window } from '../../metrics/measurement.ts';
import { sum } from '../../metrics/sums.ts';
import { keyOf } from '../../metrics/threads.ts';
import { plural } from '../../metrics/units.ts';
import { id } from '../map-reader.ts';
import { counts } from '../maps.ts';
import { unlessStopped } from '../program.ts';
import { saveStacks, stackShape } from '../stacks.ts';
import type { Profiler, ProgramContext } from './profiler.ts';

declare module '../../metrics/measurement.ts' {
  interface Parts {
    oncpu?: Oncpu;
  }
  interface IntervalParts {
    oncpu?: Oncpu;
  }
}

/** Samples per second on each CPU. A frequency of 100 would run in step with timers. */
const FREQUENCY_HZ = 99;
/** Time that each sample represents, ns. */
const PERIOD_NS = Math.round(1e9 / FREQUENCY_HZ);
const TIMER = `profile:hz:${FREQUENCY_HZ}`;

/** How often each thread was sampled in each stack. */
const samples = counts('@oncpu', { tid: id, pid: id, generation: id }, { stacks: true });

const oncpuSchema = z
  .object({
    frequency_hz: z.int().positive().describe('samples a second of each CPU'),
    total_samples: count,
    total_time_ns: ns.describe(
      'samples, each for the time from one to the next: an estimate, where account.on_cpu_ns is exact',
    ),
    thread_stats: z.record(threadKey, z.object({ tid: pid, comm: z.string().nullable(), samples: count })),
    stacks: z
      .array(
        z.object({
          pid,
          tid: pid,
          count: count.describe('samples'),
          user: z.array(index).describe('indices into frames, leaf first'),
          user_cut: count,
          user_incomplete: z.boolean(),
          kernel: z.array(index).describe('indices into frames, leaf first'),
        }),
      )
      .describe('every sample, added up by thread and stack'),
    frames: z.array(frame),
    mappings: z.array(mapping),
  })
  .describe('samples of what ran on the CPUs');

export type Oncpu = z.infer<typeof oncpuSchema>;

/** Each sample counts as one sampling period. Their sum is `total_time_ns`. */
const stacks: StackView<Oncpu> = {
  title: 'Time',
  event: 'sample',
  samplesCpu: true,
  frames: ({ frames }) => frames,
  mappings: ({ mappings }) => mappings,
  rows: ({ stacks, thread_stats, total_samples, total_time_ns }) => {
    const each = total_samples > 0 ? total_time_ns / total_samples : 0;
    return stacks.map(({ pid, tid, count, user, kernel }) => ({
      ...{ pid, tid, comm: thread_stats[keyOf({ pid, tid })]?.comm ?? null, kind: ON_CPU, idle: false },
      ...{ open: false, timeNs: count * each, count, user, kernel },
    }));
  },
  values: [
    { type: 'samples', unit: 'count', of: ({ count }) => count },
    { type: 'cpu', unit: 'nanoseconds', of: ({ timeNs }) => timeNs, isDefault: true },
  ],
  colours: {},
};

/** Samples the stacks of each thread while it is on a CPU. */
export const oncpu: Profiler<Oncpu> = {
  name: 'oncpu',
  noun: 'samples of the CPU',
  summary: `what each thread ran on the CPU: its stacks, sampled ${FREQUENCY_HZ} times a second`,
  tracepoints: [],
  timer: TIMER,
  takesStacks: true,
  cost: '28 to 41 µs per sample of a followed thread: 0.3 to 0.4 % of each CPU that is busy with them',
  caveats: [
    'samples are an estimate: code that runs for less than 10 ms in all may have none',
    'code that runs with interrupts off is seen where it turns them on again',
    'without frame pointers only the innermost user frame is reliable',
  ],
  program: (context) => ({
    clauses: [
      {
        attach: TIMER,
        condition: `@gen[(uint64)pid]${unlessStopped(context)}`,
        comment: 'Sample what runs on this CPU.',
        body: sample(context),
      },
    ],
    maps: [samples.sized(stackShape(context))],
  }),
  schema: oncpuSchema,
  maps: [samples],
  reduce: reduceSamples,
  events: ({ total_samples }) => ({ count: total_samples, text: plural(total_samples, 'sample') }),
  stacks,
};

function sample(context: ProgramContext): string[] {
  const key = { tid: '(uint64)tid', pid: '(uint64)pid', generation: '$generation' };
  const add = (stacks: readonly string[]) => samples.add(key, context, stacks);
  return ['$generation = @gen[(uint64)pid];', ...saveStacks(context, add)];
}

function reduceSamples(window: Window): Reduced<Oncpu> {
  const table = window.newFrames();
  const rows = stackRows(window, table);
  const total = sum(rows.map(({ count }) => count));
  const { frames, mappings, stack } = table.finished();
  return {
    part: {
      frequency_hz: FREQUENCY_HZ,
      total_samples: total,
      total_time_ns: total * PERIOD_NS,
      thread_stats: threadStats(rows, window.names.threads),
      stacks: rows.map((row) => ({ ...row, user: stack(row.user), kernel: stack(row.kernel) })),
      frames,
      mappings,
    },
    losses: {
      stacks_missing: window.facts.stacks ? sum(rows.map((row) => (isEmpty(row) ? row.count : 0))) : 0,
      frames_cut: sum(rows.map((row) => row.user_cut)),
    },
  };
}

type StackRow = Oncpu['stacks'][number];

/** Sorts rows by samples, largest first. Rows that differ only in words that are not code are merged. */
function stackRows(window: Window, frames: FrameTable): StackRow[] {
  const rows = distinct(hashOfRow, areAlike);
  for (const { pid, tid, generation, count, ...ids } of window.rows(samples)) {
    const user = frames.user(ids.user, pid, generation);
    const kernel = frames.kernel(ids.kernel);
    const row = { pid, tid, count, user: user.stack, user_cut: user.cut, user_incomplete: user.incomplete };
    const one: StackRow = { ...row, kernel };
    const known = rows.items[rows.indexOf(one)];
    if (known !== undefined && known !== one) known.count += count;
  }
  return rows.items.toSorted((a, b) => b.count - a.count);
}

function hashOfRow({ pid, tid, kernel, user }: StackRow): number {
  return hashOf(user, hashOf(kernel, hashOf([pid, tid])));
}

function areAlike(a: StackRow, b: StackRow): boolean {
  const same = a.pid === b.pid && a.tid === b.tid && a.user_cut === b.user_cut;
  return same && sameNumbers(a.kernel, b.kernel) && sameNumbers(a.user, b.user);
}

/** A thread on a CPU always has a user stack or a kernel stack. */
function isEmpty({ user, kernel }: StackRow): boolean {
  return user.length === 0 && kernel.length === 0;
}

function threadStats(rows: readonly StackRow[], comms: ReadonlyMap<number, string>): Oncpu['thread_stats'] {
  const threads = new Map<string, Oncpu['thread_stats'][string]>();
  for (const { pid, tid, count } of rows) {
    const key = keyOf({ pid, tid });
    const thread = threads.get(key) ?? { tid, comm: comms.get(tid) ?? null, samples: 0 };
    threads.set(key, { ...thread, samples: thread.samples + count });
  }
  return Object.fromEntries([...threads].sort(([, a], [, b]) => b.samples - a.samples));
}
