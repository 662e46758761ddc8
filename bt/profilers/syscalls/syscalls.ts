import { CATEGORIES } from '../../../metrics/syscall-category.ts';
import { COMPAT_BIT } from '../../../metrics/syscall-name.ts';
import { SYSCALL_TABLE } from '../../../metrics/syscall-table.ts';
import { plural } from '../../../metrics/units.ts';
import { type Clause, indent, unlessStopped } from '../../program.ts';
import { stackShape } from '../../stacks.ts';
import { flag } from '../option-kinds.ts';
import type { OptionValues, Profiler, ProgramContext } from '../profiler.ts';
import { calls, errors, filtered, inProgress, slowest, times } from './call-maps.ts';
import { beginCall, currentCall, endOfCalls } from './call-times.ts';
import { syscallBlocks } from './sys-blocks.ts';
import { syscallsDiff } from './sys-diff.ts';
import { reduceSyscalls } from './sys-reduce.ts';
import { type Syscalls, syscallsSchema } from './sys-schema.ts';
import { addCallWaits } from './times-reduce.ts';

declare module '../../../metrics/measurement.ts' {
  interface Parts {
    syscalls?: Syscalls;
  }
  interface IntervalParts {
    syscalls?: Syscalls;
  }
}

const CALL_NAMES = Object.values(SYSCALL_TABLE).flatMap((names): string[] => Object.values(names));

/** System calls counted at entry, by process and number. */
export const syscalls: Profiler<Syscalls> = {
  name: 'syscalls',
  noun: 'system calls',
  summary: 'every system call by name, category and process: exact counts',
  isDefault: true,
  tracepoints: ['raw_syscalls:sys_enter', 'sched:sched_process_exit'],
  takesStacks: false,
  cost: '0.1 to 0.7 µs per system call of a followed process, 0.1 to 0.2 µs of any other; see also --syscall-times',
  caveats: [
    'a call is counted when it is entered, whether or not it succeeds',
    'a call that a seccomp filter denies is not counted, because the kernel asks the filter first; the result says so',
    'calls answered by the vDSO (clock_gettime, getcpu) never enter the kernel and are not counted',
    'without BTF, calls made through the 32-bit entry cannot be told apart',
  ],
  options: {
    times: flag(
      'also measure errors, duration and waits of system calls, at 3 to 4 times the overhead',
      '--syscall-times',
    ),
  },
  program: (context, options) => ({
    begin: isTimed(options) ? inProgress.declare(context) : [],
    clauses: [
      enterClause(context, options),
      ...(context.seccomp ? [filterClause(context)] : []),
      ...(isTimed(options) ? endOfCalls(context) : []),
    ],
    maps: [
      calls,
      ...(context.seccomp ? [filtered] : []),
      ...(isTimed(options) ? [errors, slowest, times, inProgress] : []),
    ].map((map) => map.sized(stackShape(context))),
  }),
  provides: (options) => ({ currentCall: isTimed(options) ? currentCall : undefined }),
  hostWarnings: ({ btf }) =>
    btf ? [] : ['without BTF, 32-bit system calls cannot be told from 64-bit ones'],
  schema: syscallsSchema,
  maps: [calls, filtered, errors, slowest, times, inProgress],
  reduce: reduceSyscalls,
  finish: (part, rows, { isWhole, facts, measured }) => {
    if (isWhole && facts.syscallTimes && measured.some(({ stacks }) => stacks && !stacks.samplesCpu))
      addCallWaits(part, rows());
  },
  events: ({ total: count }) => ({ count, text: plural(count, 'system call') }),
  blocks: syscallBlocks,
  diff: syscallsDiff,
  metrics: {
    times: [],
    time: () => 0,
    zeros: [
      ['syscalls.by_category', CATEGORIES, /^$/],
      ['syscalls.by_syscall', CALL_NAMES, /^\.count$/],
      ['syscalls.compat_32bit.by_syscall', CALL_NAMES, /^\.count$/],
    ],
    example: 'syscalls.total>10000',
    missing: 'The results have no system calls: profile with -p syscalls.',
  },
};

function isTimed({ times }: OptionValues): boolean {
  return times === true;
}

const WHY_SUMS =
  'Two CPUs may be the first to make a call: this bpftrace loses one of the two, so a 0 goes first.';

function enterClause(context: ProgramContext, options: OptionValues): Clause {
  const counted = [
    `$id = ${callNumber(context)};`,
    ...calls.add({ pid: '$pid', call: '$id' }, context),
    ...(isTimed(options) ? timed(context) : []),
  ];
  return {
    attach: 'tracepoint:raw_syscalls:sys_enter',
    comment:
      'One probe for all calls: the 360 sys_enter_* probes take 26 s and more to detach.\n' +
      `${COMPAT_BIT.toString(16)} (hex) is added to the number of a 32-bit call.${
        context.losesFirstCounts ? `\n${WHY_SUMS}` : ''
      }`,
    body: ['$pid = (uint64)pid;', 'if (@gen[$pid]) {', ...indent(counted), '}'],
  };
}

/** The kernel asks the filter before the tracepoint, so a call that it denies is never seen. */
function filterClause(context: ProgramContext): Clause {
  return {
    attach: 'tracepoint:sched:sched_process_exit',
    condition: '@gen[(uint64)pid] && curtask->seccomp.mode',
    comment: 'A seccomp filter denies calls before they are counted.',
    body: filtered.add({ pid: '(uint64)pid' }, context),
  };
}

/** A negative number is not a call: a tracer or a seccomp filter skipped it. */
function timed(context: ProgramContext): string[] {
  return [`if ($id >= 0${unlessStopped(context)}) {`, ...indent(beginCall('$id')), '}'];
}

/**
 * Expressions for 1 if the current call came through the 32-bit entry point, otherwise 0. They need BTF. On x86 the
 * kernel marks such calls by TS_COMPAT in `thread_info.status`, on arm64 by TIF_32BIT in `thread_info.flags`.
 */
const COMPAT_TEST = {
  x86_64: '(curtask->thread_info.status & 2) >> 1',
  aarch64: '(curtask->thread_info.flags & 0x400000) >> 22',
} as const;

function callNumber({ btf, arch }: ProgramContext): string {
  return btf ? `args->id + ((int64)(${COMPAT_TEST[arch]}) << 32)` : 'args->id';
}
