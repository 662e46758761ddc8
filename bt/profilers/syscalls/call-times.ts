import { IN_PROGRESS_OFFSET } from '../../../metrics/syscall-name.ts';
import { type Clause, indent, unlessStopped } from '../../program.ts';
import type { ProgramContext } from '../profiler.ts';
import { errors, inProgress, MAX_ERRNO, slowest, times } from './call-maps.ts';

const KEY = { tid: '(uint64)tid' };

/** The expression for the call that a thread is in: its number plus 1, or 0. */
export function currentCall(tid: string): string {
  return inProgress.field(inProgress.at({ tid }), 'call');
}

/** The statements of sys_enter that record the start of a call. */
export function beginCall(number: string): string[] {
  const call = `(uint64)(${number} + ${IN_PROGRESS_OFFSET})`;
  return [inProgress.set(KEY, { since: 'nsecs', call }), inProgress.reportFull(KEY)];
}

/** The clauses that end a call: by its return, or with its thread. */
export function endOfCalls(context: ProgramContext): Clause[] {
  const condition = `@gen[(uint64)pid]${unlessStopped(context)}`;
  return [
    {
      attach: 'tracepoint:raw_syscalls:sys_exit',
      condition,
      comment:
        'A call returns to the thread that entered it. A new process returns from a call that it never entered.',
      body: returnOfCall(context),
    },
    {
      attach: 'tracepoint:sched:sched_process_exit',
      condition,
      comment: 'Discard the call that an exiting thread was in: it never returns.',
      body: [inProgress.remove(KEY)],
    },
  ];
}

function returnOfCall(context: ProgramContext): string[] {
  const key = { call: inProgress.field('$c', 'call'), cpu: '(uint64)cpu' };
  const error = { call: key.call, errno: '(uint64)(0 - $ret)' };
  const since = inProgress.field('$c', 'since');
  return [
    `$c = ${inProgress.at(KEY)};`,
    `if (${since}) {`,
    `  $took = nsecs - ${since};`,
    `  ${times.add(key, '$took')}`,
    `  ${slowest.add(key, '$took')}`,
    '  $ret = args->ret;',
    `  if ($ret < 0 && $ret >= -${MAX_ERRNO}) {`,
    ...indent(indent(errors.add(error, context))),
    '  }',
    `  ${inProgress.remove(KEY)}`,
    '}',
  ];
}
