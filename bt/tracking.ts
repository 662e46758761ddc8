import { CLONE_THREAD, type Clause, type Fragment, type Hooks, indent, reportFull } from './program.ts';

/** The first instruction of a program. */
export interface EntryPoint {
  /** The file, which is written in quotes. */
  readonly path: string;
  /** The address in the file. */
  readonly address: number;
}

/** Which processes are followed, and from what moment. */
export type Follow =
  /** A held process. It is followed from its first exec, by which it becomes the command. */
  | {
      readonly kind: 'held';
      readonly pid: number;
      readonly children: boolean;
      /** Where the command is stopped: after its libraries are loaded, before its own code runs. */
      readonly entry?: EntryPoint | undefined;
    }
  /**
   * Running processes. The profiler, process `by`, names each of their threads by kill(tid, 0). Threads that the
   * profiler stopped do not count as waiting.
   */
  | {
      readonly kind: 'named';
      readonly by: number;
      readonly children: boolean;
      readonly stopped?: boolean;
    }
  /** The process given as the program's first argument: for a program that runs without btprof. */
  | { readonly kind: 'argument'; readonly children: boolean };

/** Tracepoints of every program, and of those that name threads. */
export const TRACKING_TRACEPOINTS = [
  'sched:sched_process_exec',
  'sched:sched_process_exit',
  'sched:sched_process_free',
  'task:task_newtask',
  'syscalls:sys_enter_kill',
] as const;

interface TrackingOptions extends Hooks {
  readonly follow: Follow;
  /** Whether the kernel has BTF, and with it a thread's start time. */
  readonly btf: boolean;
  /** Whether a profiler prints the exit of every thread itself. */
  readonly exitsPrinted: boolean;
}

/**
 * The shared part of every program: `@gen[tgid]` is the exec generation of each followed process, and 0 for
 * all others. The address space changes at exec, so the generation is part of every stack's key.
 */
export function tracking(options: TrackingOptions): Fragment {
  const { follow } = options;
  return {
    ...(follow.kind === 'argument' ? { begin: ['@gen[(uint64)$1] = (uint64)1;'] } : {}),
    clauses: [
      ...(follow.kind === 'named' ? [namedClause(follow, options.onNamed)] : []),
      execClause(options),
      ...(follow.kind === 'held' && follow.entry ? [entryClause(follow.pid, follow.entry)] : []),
      ...(follow.children ? [newTaskClause()] : []),
      freeClause(options.onFreed),
      ...(options.exitsPrinted ? [] : [exitClause(options.btf)]),
    ],
    maps: [
      {
        name: '@gen',
        role: 'helper',
        key: 1,
        value: 1,
        reportsFull: follow.children || follow.kind === 'named',
      },
    ],
  };
}

/** The exec generation of named processes: 1, or 2 for a command that was stopped at its entry point. */
export function namedGeneration(follow: Follow): number {
  return follow.kind === 'named' && follow.stopped ? 2 : 1;
}

function namedClause(follow: Extract<Follow, { kind: 'named' }>, onNamed: readonly string[]): Clause {
  const { by, stopped } = follow;
  return {
    attach: 'tracepoint:syscalls:sys_enter_kill',
    condition: `pid == ${by} && args->sig == 0`,
    comment:
      'The profiler names itself, and then each thread to follow, by kill(tid, 0), which does nothing else.\n' +
      'A thread id that is no process id never equals `pid`, so it may stand in @gen.',
    body: [
      '$named = (uint64)args->pid;',
      `if ($named == ${by}) {`,
      '  print(("start", nsecs));',
      '} else {',
      ...indent([
        ...(stopped ? [] : onNamed),
        'if (@gen[$named] == 0) {',
        `  @gen[$named] = (uint64)${namedGeneration(follow)};`,
        `  ${reportFull('@gen', '@gen[$named] == 0')}`,
        '}',
      ]),
      '}',
    ],
  };
}

function execClause({ follow, onCommand, onProgram }: TrackingOptions): Clause {
  const reported = ['print(("exec", $now, pid, @gen[(uint64)pid], comm));', ...onProgram];
  if (follow.kind !== 'held') {
    return {
      attach: 'tracepoint:sched:sched_process_exec',
      condition: '@gen[(uint64)pid]',
      comment: 'A new program in a new address space.',
      body: ['$now = nsecs;', '@gen[(uint64)pid] = @gen[(uint64)pid] + 1;', ...reported],
    };
  }
  return {
    attach: 'tracepoint:sched:sched_process_exec',
    condition: `@gen[(uint64)pid] || pid == ${follow.pid}`,
    comment:
      'A new program in a new address space. The first exec of the held process is that of the command.',
    body: [
      '$now = nsecs;',
      'if (@gen[(uint64)pid]) {',
      '  @gen[(uint64)pid] = @gen[(uint64)pid] + 1;',
      '} else {',
      '  @gen[(uint64)pid] = (uint64)1;',
      ...indent(onCommand),
      '}',
      ...reported,
    ],
  };
}

function entryClause(pid: number, { path, address }: EntryPoint): Clause {
  return {
    attach: `uprobe:"${path}":0x${address.toString(16)}`,
    condition: `pid == ${pid} && @gen[(uint64)pid]`,
    comment: 'Stops the command here, until a program that has its unwind tables takes over.',
    body: ['print(("entry", nsecs, pid));', 'signal("SIGSTOP");'],
  };
}

function newTaskClause(): Clause {
  return {
    attach: 'tracepoint:task:task_newtask',
    condition: `!(args->clone_flags & ${CLONE_THREAD})`,
    comment: 'A new process is followed if its parent is. A reused pid is not.',
    body: [
      '$child = (uint64)args->pid;',
      'if (@gen[(uint64)pid]) {',
      '  @gen[$child] = @gen[(uint64)pid];',
      `  ${reportFull('@gen', '@gen[$child] == 0')}`,
      '  print(("fork", nsecs, pid, $child, @gen[(uint64)pid]));',
      '} else if (@gen[$child]) {',
      '  delete(@gen[$child]);',
      '}',
    ],
  };
}

function freeClause(onFreed: readonly string[]): Clause {
  return {
    attach: 'tracepoint:sched:sched_process_free',
    comment:
      'A task is forgotten only when it is reaped: a leader may exit before its threads, and an exiting thread may still wait.',
    body: ['$gone = (uint64)args->pid;', 'if (@gen[$gone]) {', '  delete(@gen[$gone]);', '}', ...onFreed],
  };
}

function exitClause(btf: boolean): Clause {
  return {
    attach: 'tracepoint:sched:sched_process_exit',
    condition: '@gen[(uint64)pid]',
    comment: 'The last name of each thread, and its start time.',
    body: [exitEvent('nsecs', btf)],
  };
}

/**
 * The statement that prints the end of the current thread, at `at`, and its start, by the clock of nsecs, which includes
 * suspended time.
 *
 * @param more further fields
 */
export function exitEvent(at: string, btf: boolean, ...more: readonly string[]): string {
  const fields = ['"exit"', at, 'pid', 'tid', btf ? 'curtask->start_boottime' : '(uint64)0', 'comm', ...more];
  return `print((${fields.join(', ')}));`;
}
