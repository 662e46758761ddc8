import { indent, unlessStopped } from '../../program.ts';
import { saveStacks, stackShape } from '../../stacks.ts';
import { exitEvent } from '../../tracking.ts';
import type { ProgramContext } from '../profiler.ts';
import { extremes, missed, off, RUNNING, SEEDED, unseen, waits, withCall } from './off-maps.ts';
import { arrival, USED } from './off-threads.ts';

/** prev_state bits of a thread that has exited: EXIT_DEAD | EXIT_ZOMBIE (linux/sched.h). */
const LEAVING = '0x30';

/** Options of the statements: shorter waits than `minNs` are left out. */
interface SwitchOptions {
  readonly minNs: number;
}

/**
 * The body of sched_switch: the incoming thread ends its wait, and the outgoing thread begins one. A thread that is not
 * followed costs two map lookups. Kernel helpers are called once.
 */
export function switchBody(context: ProgramContext, options: SwitchOptions): string[] {
  const { lookup, followed } = outgoing(context);
  const both = [...endOfWait(context, options), ...startOfWait(context, options)];
  return [
    '$now = nsecs;',
    '$tid = (uint64)args->prev_pid;',
    '$next = (uint64)args->next_pid;',
    ...arrival(context),
    ...lookup,
    `$w = ${off.at({ tid: '$next' })};`,
    ...(context.stops
      ? [`if ((${followed} || ${off.field('$w', 'since')})${unlessStopped(context)}) {`, ...indent(both), '}']
      : both),
  ];
}

const ENTRY = `$p = ${off.at({ tid: '$tid' })};`;
const PROCESS = ['$pid = (uint64)pid;', '$gen = @gen[$pid];'];

/**
 * The statements for the outgoing thread. If every thread has an entry, the entry `$p` names its process. If running
 * threads have no entry yet, `@gen` names it.
 */
function outgoing({ allThreadsHaveEntry }: ProgramContext) {
  const [since, pid, generation] = [
    off.field('$p', 'since'),
    off.field('$p', 'pid'),
    off.field('$p', 'generation'),
  ];
  return allThreadsHaveEntry
    ? { lookup: [ENTRY], entry: [], followed: since, pid, generation }
    : { lookup: PROCESS, entry: [ENTRY], followed: '$gen', pid: '$pid', generation: '$gen' };
}

/** A thread that has exited does not begin a wait; its exit is printed instead. */
function startOfWait(context: ProgramContext, options: SwitchOptions): string[] {
  const { entry, followed, pid, generation } = outgoing(context);
  const state = withCall('$state', '$tid', context);
  const fields = { since: '$now', pid, generation, state, ran: '$ran', longest: '$long', shortest: '$short' };
  const save = (stacks: readonly string[]) => [off.set({ tid: '$tid' }, fields, stacks)];
  const { btf, allThreadsHaveEntry } = context;
  return [
    `if (${followed}) {`,
    ...indent([...entry, ...endOfRun(context, options)]),
    '  $state = (uint64)args->prev_state;',
    `  if ($state & ${LEAVING}) {`,
    `    ${exitEvent('$now', btf, ...(btf ? [...USED, '$ran'] : []))}`,
    `    ${off.remove({ tid: '$tid' })}`,
    '  } else {',
    ...indent(indent(saveStacks(context, save))),
    ...(allThreadsHaveEntry
      ? []
      : [`    if (${off.field('$p', 'since')} == 0) { ${off.reportFull({ tid: '$tid' })} }`]),
    '  }',
    '}',
  ];
}

/**
 * If a thread comes in although its entry is a run, its switch-out was missed: the wait is missing, and how long the
 * thread ran is unknown.
 */
function endOfWait(context: ProgramContext, options: SwitchOptions): string[] {
  const runs = { since: '$now', state: `(uint64)${RUNNING}`, longest: '$most', shortest: '$least' };
  const ending: WaitEnd = { wait: '$w', tid: '$next', longest: '$most', shortest: '$least' };
  return [
    `if (${off.field('$w', 'since')}) {`,
    `  $most = ${off.field('$w', 'longest')};`,
    `  $least = ${off.field('$w', 'shortest')};`,
    `  if (${off.field('$w', 'state')} == ${RUNNING}) {`,
    ...indent(indent(missed.add({ tid: '$next' }, context))),
    '  } else {',
    `    $wait = (uint64)($now - ${off.field('$w', 'since')});`,
    ...indent(indent(addWait(ending, context, options))),
    '  }',
    `  ${off.change({ tid: '$next' }, '$w', runs, stackShape(context))}`,
    '}',
  ];
}

/**
 * Puts into `$ran` how long the outgoing thread has been on a CPU. If its entry is still a wait, its switch-in was
 * missed: the kernel skips BPF programs on some switches, for example while another one runs on that CPU. The scheduler
 * knows how long the thread has been on the CPU, and so when the wait ended. A thread that was named while it ran had
 * no wait.
 */
function endOfRun(context: ProgramContext, options: SwitchOptions): string[] {
  const onCpu = 'curtask->se.sum_exec_runtime - curtask->se.prev_sum_exec_runtime';
  const [since, state] = [off.field('$p', 'since'), off.field('$p', 'state')];
  const ending: WaitEnd = { wait: '$p', tid: '$tid', longest: '$long', shortest: '$short' };
  const count = unseen.add({ tid: '$tid' }, context);
  const reconstruct = [
    `$in = $now - (uint64)(${onCpu});`,
    `if ($in > ${since}) {`,
    `  $wait = (uint64)($in - ${since});`,
    ...indent([...addWait(ending, context, options), ...count]),
    '} else {',
    `  $in = ${since};`,
    '}',
    '$ran = $ran + (uint64)($now - $in);',
  ];
  return [
    `$ran = (uint64)${off.field('$p', 'ran')};`,
    `$long = ${off.field('$p', 'longest')};`,
    `$short = ${off.field('$p', 'shortest')};`,
    `if (${state} == ${RUNNING}) {`,
    `  $ran = $ran + (uint64)($now - ${since});`,
    context.allThreadsHaveEntry ? '} else {' : `} else if (${since}) {`,
    ...indent(context.btf ? reconstruct : [`if (${state} != ${SEEDED}) { ${count.join(' ')} }`]),
    '}',
  ];
}

/** The variable with an entry of `off`, and the variables for its new extremes. */
interface WaitEnd {
  readonly wait: '$w' | '$p';
  readonly tid: string;
  readonly longest: string;
  readonly shortest: string;
}

/**
 * Adds `$wait`, ns, to the sums of a thread. A thread is on one CPU at a time, so its extremes are not per CPU. Its
 * entry has a copy, so that `@extremes` is written only when one changes.
 */
function addWait(
  { wait, tid, longest, shortest }: WaitEnd,
  context: ProgramContext,
  { minNs }: SwitchOptions,
): string[] {
  const pid = off.field(wait, 'pid');
  const key = { tid, pid, generation: off.field(wait, 'generation'), state: off.field(wait, 'state') };
  const added = [
    waits.add(key, '$wait', off.stacksOf(wait, stackShape(context))),
    `if ($wait > ${longest} || $wait < ${shortest}) {`,
    `  $x = ${extremes.at({ tid, pid })};`,
    `  ${longest} = ${extremes.field('$x', 'longest')};`,
    `  ${shortest} = ${extremes.field('$x', 'shortest')};`,
    `  if ($wait > ${longest}) { ${longest} = $wait; }`,
    `  if ($wait < ${shortest} || ${shortest} == 0) { ${shortest} = $wait; }`,
    `  ${extremes.set({ tid, pid }, { longest, shortest })}`,
    '}',
  ];
  return minNs > 0 ? [`if ($wait >= ${minNs}) {`, ...indent(added), '}'] : added;
}
