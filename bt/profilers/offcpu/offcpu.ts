import type { KernelMap } from '../../program.ts';
import { stackShape } from '../../stacks.ts';
import { timeNs } from '../option-kinds.ts';
import type { Profiler } from '../profiler.ts';
import { offcpuBlocks } from './off-blocks.ts';
import { offcpuDiff } from './off-diff.ts';
import { extremes, missed, off, unseen, waitState, waits } from './off-maps.ts';
import { reduceOffcpu } from './off-reduce.ts';
import { type Offcpu, type OffcpuInterval, offcpuIntervalSchema, offcpuSchema } from './off-schema.ts';
import { offcpuMetrics, offcpuStacks } from './off-stacks.ts';
import { switchBody } from './off-switch.ts';
import { entryAtExit, newThread, threadHooks, tracksFirstSwitchIn } from './off-threads.ts';

declare module '../../../metrics/measurement.ts' {
  interface Parts {
    offcpu?: Offcpu;
  }
  interface IntervalParts {
    offcpu?: OffcpuInterval;
  }
}

/**
 * Off-CPU time: each wait runs from the switch-out of a thread to its switch-in. In sched_switch both stacks belong to the
 * thread going out, so they are saved with the start of the wait and used at its end. `@off` has an entry for each thread,
 * also while it runs; it holds how long the thread has been on a CPU.
 */
export const offcpu: Profiler<Offcpu> = {
  name: 'offcpu',
  noun: 'off-CPU time',
  summary: 'how long each thread was off the CPU, and in which user and kernel stack',
  isDefault: true,
  tracepoints: ['sched:sched_switch', 'task:task_newtask', 'sched:sched_process_exit'],
  takesStacks: true,
  cost: '2 to 6 µs per context switch of a followed thread, 0.3 to 1.7 µs with --no-stacks, 0.1 to 0.4 µs of any other',
  caveats: [
    'a thread that is ready but has no CPU is off-CPU too (state R)',
    'without frame pointers only the innermost user frame is reliable',
    'kernel threads are not followed',
  ],
  options: { min: timeNs('ignore waits shorter than TIME', '--min-block') },
  program: (context, options) => ({
    begin: [
      ...off.declare(context),
      ...extremes.declare(context),
      ...(tracksFirstSwitchIn(context) ? ['@arrived = (uint64)0;', '@used = (uint64)0;'] : []),
    ],
    clauses: [
      {
        attach: 'tracepoint:sched:sched_switch',
        comment:
          'The thread switched in ends its wait. The thread switched out begins one, unless it has exited.',
        body: switchBody(context, { minNs: minOf(options) }),
      },
      newThread(context),
      ...(context.allThreadsHaveEntry ? [entryAtExit(context)] : []),
    ],
    printsExits: true,
    hooks: threadHooks(context),
    maps: [
      ...[unseen, missed, extremes, waits, off].map((map) => map.sized(stackShape(context))),
      ...(tracksFirstSwitchIn(context) ? [helper('@arrived'), helper('@used')] : []),
    ],
  }),
  dropsRows: (options) => minOf(options) > 0,
  schema: offcpuSchema,
  intervalSchema: offcpuIntervalSchema,
  maps: [unseen, missed, extremes, waits, off],
  reduce: reduceOffcpu,
  runsAtEnd: (reading) =>
    reading.rows(off).map(({ pid, tid, ran, state, since }) => ({
      ...{ pid, tid, ranNs: ran },
      stoppedAt: waitState(state).state === 'T' ? since : undefined,
    })),
  events: ({ total_events: count }) => ({ count, text: `${count} waits` }),
  findings: ({ bottlenecks }) => bottlenecks,
  blocks: offcpuBlocks,
  stacks: offcpuStacks,
  diff: offcpuDiff,
  metrics: offcpuMetrics,
};

function minOf(options: Readonly<Record<string, unknown>>): number {
  return typeof options.min === 'number' ? options.min : 0;
}

function helper(name: KernelMap['name']): KernelMap {
  return { name, role: 'helper', key: 0, value: 1 };
}
