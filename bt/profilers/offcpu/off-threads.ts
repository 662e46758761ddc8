import { ZERO } from '../../maps.ts';
import { CLONE_THREAD, type Clause, type Hooks, indent, STOPPED, unlessStopped } from '../../program.ts';
import { otherStacks, stackShape } from '../../stacks.ts';
import { exitEvent } from '../../tracking.ts';
import type { ProgramContext } from '../profiler.ts';
import { missed, NEW, off, RUNNING, SEEDED } from './off-maps.ts';

/** Fields of an entry that begins now, for the current process. */
const CURRENT = { since: '$now', pid: '(uint64)pid', generation: '@gen[(uint64)pid]' };

/** The statement that adds the entry of a thread that has neither waited nor run yet, as far as is known. */
function newEntry(
  tid: string,
  fields: Readonly<Record<'since' | 'pid' | 'generation', string>>,
  state: number,
  context: ProgramContext,
): string {
  const all = { ...fields, state: `(uint64)${state}`, ran: ZERO, longest: ZERO, shortest: ZERO };
  return off.set({ tid }, all, otherStacks(context));
}

/** Gives each followed thread an entry as soon as it is followed. */
export function threadHooks(context: ProgramContext): Hooks {
  const seeded = { ...CURRENT, pid: '$named', generation: '(uint64)1' };
  return {
    onCommand: [
      ...(tracksFirstSwitchIn(context) ? [BEGAN] : []),
      newEntry('(uint64)pid', { ...CURRENT, generation: '(uint64)1' }, RUNNING, context),
    ],
    onProgram: newProgram(context),
    onFreed: [
      `$left = ${off.at({ tid: '$gone' })};`,
      `if (${off.field('$left', 'since')}) {`,
      `  ${off.remove({ tid: '$gone' })}`,
      '}',
    ],
    onNamed: [
      '$now = nsecs;',
      `$w = ${off.at({ tid: '$named' })};`,
      `if (${off.field('$w', 'since')} == 0) {`,
      `  ${newEntry('$named', seeded, SEEDED, context)}`,
      `  ${off.reportFull({ tid: '$named' })}`,
      '}',
    ],
  };
}

/**
 * CPU time of the held process when it became the command: until its last switch-out, which may have been before the
 * probes were attached, and since its switch-in. The scheduler's sum lags by the time since its last update.
 */
const BEGAN =
  'print(("began", $now, pid, @used, curtask->se.prev_sum_exec_runtime, @arrived, curtask->sched_info.run_delay));';

export function arrival(context: ProgramContext): string[] {
  if (!tracksFirstSwitchIn(context)) return [];
  return [
    `if ($next == ${context.held}) { @arrived = $now; }`,
    `if ($tid == ${context.held}) { @used = curtask->se.sum_exec_runtime; }`,
  ];
}

export function tracksFirstSwitchIn({ held, btf }: ProgramContext): boolean {
  return held !== undefined && btf;
}

/**
 * A new program has its own stacks, and the thread that starts it, formerly `$old`, takes the number of its process:
 * its run ends, and another begins. After the profiler has asked for the maps, nothing changes.
 */
function newProgram(context: ProgramContext): string[] {
  const next = { since: '$now', generation: '@gen[(uint64)pid]', state: `(uint64)${RUNNING}`, ran: '$ran' };
  const renamed = ['if ($old != (uint64)pid) {', ...indent(renamedThread(context)), '}'];
  const known = [
    ...runUntilNow(context),
    `if ($old == (uint64)pid && ${off.field('$r', 'since')}) {`,
    `  ${off.change({ tid: '$old' }, '$r', next, stackShape(context))}`,
    '} else {',
    ...indent([...renamed, ...runsFromNow(context)]),
    '}',
  ];
  const unknown = [
    'if ($old != (uint64)pid) {',
    ...indent([...runUntilNow(context), ...renamedThread(context), ...runsFromNow(context)]),
    '}',
  ];
  const body = context.allThreadsHaveEntry ? known : unknown;
  return [
    '$old = (uint64)args->old_pid;',
    ...(context.stops ? [`if (${STOPPED} == 0) {`, ...indent(body), '}'] : body),
  ];
}

/**
 * Puts the entry of a thread that runs into `$r`, and into `$ran` how long it has run. If its switch-in was missed, the
 * end of its wait is unknown. A thread that was named and has not been switched out since had no wait.
 */
function runUntilNow(context: ProgramContext): string[] {
  const state = off.field('$r', 'state');
  return [
    `$r = ${off.at({ tid: '$old' })};`,
    `$ran = (uint64)${off.field('$r', 'ran')};`,
    `if (${state} == ${RUNNING} || ${state} == ${SEEDED}) {`,
    `  $ran = $ran + (uint64)($now - ${off.field('$r', 'since')});`,
    '} else {',
    ...indent(missed.add({ tid: '$old' }, context)),
    '}',
  ];
}

function renamedThread({ btf }: ProgramContext): string[] {
  const fields = ['"renamed"', '$now', 'pid', '$old', '$ran', ...(btf ? USED : [])];
  return [
    `print((${fields.join(', ')}));`,
    `if (${off.field('$r', 'since')}) { ${off.remove({ tid: '$old' })} }`,
  ];
}

function runsFromNow(context: ProgramContext): string[] {
  const tid = '(uint64)pid';
  return [newEntry(tid, CURRENT, RUNNING, context), off.reportFull({ tid })];
}

/** CPU time of the running thread, and how long it was ready without a CPU. */
export const USED = ['curtask->se.sum_exec_runtime', 'curtask->sched_info.run_delay'];

/**
 * A thread waits from its creation on. Stacks that are read here belong to its creator. A thread that is not followed
 * may reuse the number of a followed one whose exit was missed.
 */
export function newThread(context: ProgramContext): Clause {
  const isThread = `args->clone_flags & ${CLONE_THREAD}`;
  const tid = '$tid';
  return {
    attach: 'tracepoint:task:task_newtask',
    ...(context.stops ? { condition: `${STOPPED} == 0` } : {}),
    comment: 'A new thread waits for its first CPU.',
    body: [
      '$now = nsecs;',
      '$tid = (uint64)args->pid;',
      `if (@gen[(uint64)pid]${context.children ? '' : ` && (${isThread})`}) {`,
      '  $pid = $tid;',
      `  if (${isThread}) { $pid = (uint64)pid; }`,
      `  ${newEntry(tid, { ...CURRENT, pid: '$pid' }, NEW, context)}`,
      `  ${off.reportFull({ tid })}`,
      '  print(("thread", $now, $pid, $tid));',
      `} else if (${off.field(off.at({ tid }), 'since')}) {`,
      `  ${off.remove({ tid })}`,
      '}',
    ],
  };
}

/**
 * Adds an entry for a thread without one when it exits, so that its last switch-out prints the exit. If the map is
 * full, the exit is printed here.
 */
export function entryAtExit(context: ProgramContext): Clause {
  const { btf } = context;
  const isMissing = `${off.field(off.at({ tid: '$tid' }), 'since')} == 0`;
  return {
    attach: 'tracepoint:sched:sched_process_exit',
    condition: `@gen[(uint64)pid]${unlessStopped(context)}`,
    comment: 'Report the exit of a thread without an entry too: it was not seen, or the map was full.',
    body: [
      '$tid = (uint64)tid;',
      `if (${isMissing}) {`,
      '  $now = nsecs;',
      `  ${newEntry('$tid', CURRENT, RUNNING, context)}`,
      `  if (${isMissing}) { ${exitEvent('$now', btf, ...(btf ? USED : []))} }`,
      '}',
    ],
  };
}
