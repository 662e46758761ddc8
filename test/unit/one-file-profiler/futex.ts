import { z } from 'zod';
import { id, word } from '../../../bt/map-reader.ts';
import { histogram, record, sums } from '../../../bt/maps.ts';
import { timeNs } from '../../../bt/profilers/option-kinds.ts';
import type { OptionValues, Profiler, ProgramContext } from '../../../bt/profilers/profiler.ts';
import { type Clause, indent, unlessStopped } from '../../../bt/program.ts';
import { saveStacks, stackShape } from '../../../bt/stacks.ts';
import type { Block } from '../../../metrics/blocks.ts';
import { changeSchema, compareBy, type DiffPart } from '../../../metrics/diff-part.ts';
import { count, frame, index, mapping, ns, pid } from '../../../metrics/fields.ts';
import type { Reduced, StackView, Window } from '../../../metrics/measurement.ts';
import { countOf, timeOf } from '../../../metrics/noise.ts';
import { sum, sumBy } from '../../../metrics/sums.ts';
import { formatNs, plural } from '../../../metrics/units.ts';

/** Time of each thread in futex(2), by stack. */
const calls = sums('@futex_calls', { tid: id, pid: id, generation: id }, { stacks: true });
/** Two CPUs never write the same key, so no first value is lost. */
const took = histogram('@futex_took', { cpu: id });
/** The current call of each thread. */
const inCall = record(
  '@futex',
  { tid: id },
  { since: word, pid: id },
  { role: 'leftover', reportsFull: true },
);
const MAPS = [took, calls, inCall];

const futexSchema = z.object({
  total_calls: count.describe('that returned'),
  total_time_ns: ns,
  histogram: z.array(z.object({ from_ns: ns, calls: count })),
  stacks: z.array(
    z.object({
      ...{ pid, tid: pid, comm: z.string().nullable(), calls: count, time_ns: ns },
      in_call: z.boolean().describe('the call had not returned at the end'),
      ...{ user: z.array(index), kernel: z.array(index) },
    }),
  ),
  frames: z.array(frame),
  mappings: z.array(mapping),
});
type Futex = z.infer<typeof futexSchema>;

const stacks: StackView<Futex> = {
  title: 'Time in futex calls',
  event: 'call',
  frames: ({ frames }) => frames,
  mappings: ({ mappings }) => mappings,
  rows: ({ stacks }) =>
    stacks.map(({ calls, time_ns, in_call, ...row }) => ({
      ...{ ...row, kind: 'userspace_lock', idle: false, open: in_call, count: calls, timeNs: time_ns },
    })),
  values: [
    { type: 'futex_calls', unit: 'count', of: ({ count }) => count },
    { type: 'futex_time', unit: 'nanoseconds', of: ({ timeNs }) => timeNs, isDefault: true },
  ],
  colours: { userspace_lock: [23, 0.11] },
};

const futexDiff = z.object({ time_ns: changeSchema, calls: changeSchema });

const diff: DiffPart<Futex> = {
  shape: { futex: futexDiff.optional() },
  compare: (sides) => ({
    futex: sides && {
      time_ns: compareBy(sides, ({ total_time_ns, total_calls }) => timeOf(total_time_ns, total_calls)),
      calls: compareBy(sides, ({ total_calls }) => countOf(total_calls)),
    },
  }),
  sections: (of) => {
    const { data: change } = futexDiff.safeParse(of.futex);
    const rows = change ? [{ change: change.time_ns, cells: [change.calls], name: 'all threads' }] : [];
    return [{ title: 'time in futex calls', unit: 'ns', most: 1, cells: ['calls'], rows }];
  },
};

/** How long threads are in futex(2): waits for locks and conditions, and the calls that end these waits. */
export const futex: Profiler<Futex> = {
  name: 'futex',
  noun: 'futex calls',
  summary: 'how long each thread was in futex(2), and in which stack',
  tracepoints: ['syscalls:sys_enter_futex', 'syscalls:sys_exit_futex'],
  takesStacks: true,
  cost: 'a few µs per futex call of a followed thread',
  caveats: ['locking a free mutex makes no call'],
  options: { min: timeNs('ignore calls shorter than TIME', '--min-futex') },
  program: (context, options) => ({
    begin: inCall.declare(context),
    clauses: [enterClause(context), exitClause(context, options)],
    hooks: { onFreed: [`if (${inCall.field(inCall.at(GONE), 'since')}) { ${inCall.remove(GONE)} }`] },
    maps: MAPS.map((map) => map.sized(stackShape(context))),
  }),
  schema: futexSchema,
  maps: MAPS,
  reduce: reduceFutex,
  events: ({ total_calls: count }) => ({ count, text: plural(count, 'futex call') }),
  findings: ({ stacks }) =>
    stacks
      .filter(({ in_call }) => in_call)
      .map(({ comm, tid, time_ns }) => `${comm} (${tid}) has been in futex() for ${formatNs(time_ns)}.`),
  blocks: futexBlocks,
  stacks,
  diff,
  metrics: {
    times: ['futex'],
    time: ({ total_time_ns }) => total_time_ns,
    zeros: [],
    missing: 'The results have no futex calls: profile with -p futex.',
    example: 'futex>+20%',
  },
};

const TID = { tid: '(uint64)tid' };
const GONE = { tid: '$gone' };

function enterClause(context: ProgramContext): Clause {
  return {
    attach: 'tracepoint:syscalls:sys_enter_futex',
    condition: `@gen[(uint64)pid]${unlessStopped(context)}`,
    comment: 'A call begins.',
    body: [inCall.set(TID, { since: 'nsecs', pid: '(uint64)pid' }), inCall.reportFull(TID)],
  };
}

/** The stack at the exit of a call is the same as at its entry. */
function exitClause(context: ProgramContext, { min = 0 }: OptionValues): Clause {
  const key = { ...TID, pid: '(uint64)pid', generation: '@gen[(uint64)pid]' };
  return {
    attach: 'tracepoint:syscalls:sys_exit_futex',
    condition: `@gen[(uint64)pid]${unlessStopped(context)}`,
    comment: 'It returns.',
    body: [
      `$since = ${inCall.field(inCall.at(TID), 'since')};`,
      `if ($since) { ${inCall.remove(TID)} }`,
      '$took = nsecs - $since;',
      `if ($since && $took >= ${Number(min)}) {`,
      `  ${took.add({ cpu: '(uint64)cpu' }, '$took')}`,
      ...indent(saveStacks(context, (stacks) => [calls.add(key, '$took', stacks)])),
      '}',
    ],
  };
}

function reduceFutex(window: Window): Reduced<Futex> {
  const table = window.newFrames();
  const commOf = (tid: number) => window.names.threads.get(tid) ?? null;
  const ended = window.rows(calls).map(({ pid, tid, generation, count, total, ...ids }) => ({
    ...{ pid, tid, comm: commOf(tid), calls: count, time_ns: total, in_call: false },
    ...{ user: table.user(ids.user, pid, generation), kernel: table.kernel(ids.kernel) },
  }));
  const open = window.rows(inCall).map(({ pid, tid, since }) => ({
    ...{ pid, tid, comm: commOf(tid), calls: 0, time_ns: window.end - since, in_call: true },
    ...{ user: [], kernel: [] },
  }));
  const callsOf = (rows: typeof ended) => sum(rows.map(({ calls }) => calls));
  const { frames, mappings, stack } = table.finished();
  const closed = ended.map((row) => ({ ...row, user: stack(row.user.stack), kernel: stack(row.kernel) }));
  return {
    part: {
      total_calls: callsOf(ended),
      total_time_ns: sum([...ended, ...open].map(({ time_ns }) => time_ns)),
      histogram: histogramOf(window),
      stacks: [...closed, ...open].sort((a, b) => b.time_ns - a.time_ns),
      ...{ frames, mappings },
    },
    losses: {
      stacks_missing: window.facts.stacks ? callsOf(ended.filter(({ kernel }) => kernel.length === 0)) : 0,
      stacks_incomplete: callsOf(ended.filter(({ user }) => user.incomplete)),
      frames_cut: sum(ended.map(({ user }) => user.cut)),
    },
  };
}

/** Summed over all CPUs. */
function histogramOf(window: Window): Futex['histogram'] {
  const buckets = window.rows(took).flatMap(({ buckets }) => buckets);
  const counts = sumBy(
    buckets,
    ({ min }) => min ?? 0,
    ({ count }) => count,
  );
  return [...counts].sort(([a], [b]) => a - b).map(([from_ns, calls]) => ({ from_ns, calls }));
}

function futexBlocks({ total_calls, total_time_ns, histogram }: Futex): Block[] {
  const rows = histogram.map(({ from_ns, calls }) => [
    ...[{ count: calls }, { share: calls, of: total_calls }, `${formatNs(from_ns)} and more`],
  ]);
  const text = [{ ns: total_time_ns }, ` in ${plural(total_calls, 'call')}`];
  return [
    [
      { kind: 'text', strong: ['Futex: '], text },
      { kind: 'table', head: ['calls', 'share', 'took'], rows },
    ],
  ];
}
