import { CLONE_THREAD, indent, noteFull, type Probe, STOPPED, unlessStopped } from '../program.ts';
import { exitEvent, type Hooks } from '../tracking.ts';
import { changedEntry, newEntry } from './off-entry.ts';
import type { FragmentOptions } from './profiler.ts';
import { MADE, RUNNING, SEEDED } from './waits.ts';

/** An entry from now on for the process that a probe runs in. */
const CURRENT = { since: '$now', pid: '(uint64)pid', generation: '@gen[(uint64)pid]' };

/** What the profiler does where threads are followed: each has an entry from then on. */
export function threadHooks(options: FragmentOptions): Hooks {
  return {
    onCommand: [
      ...(seesArrival(options) ? [BEGAN] : []),
      `@off[(uint64)pid] = (${newEntry({ ...CURRENT, generation: '(uint64)1' }, RUNNING, options)});`,
    ],
    onProgram: newProgram(options),
    onFreed: ['$left = @off[$gone];', 'if ($left.0) {', '  delete(@off[$gone]);', '}'],
    onNamed: [
      '$now = nsecs;',
      '$w = @off[$named];',
      'if ($w.0 == 0) {',
      `  @off[$named] = (${newEntry({ ...CURRENT, pid: '$named', generation: '(uint64)1' }, SEEDED, options)});`,
      `  ${noteFull('@off', '@off[$named].0 == 0')}`,
      '}',
    ],
  };
}

/**
 * What the held process has used of the CPU when it becomes the command: until it went out last, which may have been before
 * the probes were live, and since it came in. The scheduler's own sum is behind by what has passed since its last look.
 */
const BEGAN =
  'print(("began", $now, pid, @used, curtask->se.prev_sum_exec_runtime, @arrived, curtask->sched_info.run_delay));';

export function arrival(options: FragmentOptions): string[] {
  if (!seesArrival(options)) return [];
  return [
    `if ($next == ${options.held}) { @arrived = $now; }`,
    `if ($tid == ${options.held}) { @used = curtask->se.sum_exec_runtime; }`,
  ];
}

export function seesArrival({ held, btf }: FragmentOptions): boolean {
  return held !== undefined && btf;
}

/**
 * A new program has its own stacks, and the thread that starts it, formerly `$old`, the number of its process: its run ends, and
 * another begins. Nothing changes once the profiler has asked for the maps.
 */
function newProgram(options: FragmentOptions): string[] {
  const next = { since: '$now', generation: '@gen[(uint64)pid]', state: `(uint64)${RUNNING}`, ran: '$ran' };
  const renamed = ['if ($old != (uint64)pid) {', ...indent(renamedThread(options)), '}'];
  const known = [
    ...runUntilNow(),
    'if ($old == (uint64)pid && $r.0) {',
    `  @off[$old] = (${changedEntry('$r', next, options)});`,
    '} else {',
    ...indent([...renamed, ...runsFromNow(options)]),
    '}',
  ];
  const unknown = [
    'if ($old != (uint64)pid) {',
    ...indent([...runUntilNow(), ...renamedThread(options), ...runsFromNow(options)]),
    '}',
  ];
  const body = options.entersAll ? known : unknown;
  return [
    '$old = (uint64)args->old_pid;',
    ...(options.stops ? [`if (${STOPPED} == 0) {`, ...indent(body), '}'] : body),
  ];
}

/**
 * Puts the entry of a thread that runs into `$r`, and into `$ran` how long it has run. One that came in unseen has a wait of
 * unknown end; one that was named, and has not gone out since, had none.
 */
function runUntilNow(): string[] {
  return [
    '$r = @off[$old];',
    '$ran = (uint64)$r.4;',
    `if ($r.3 == ${RUNNING} || $r.3 == ${SEEDED}) {`,
    '  $ran = $ran + (uint64)($now - $r.0);',
    '} else {',
    '  @missed[$old] = @missed[$old] + 1;',
    '}',
  ];
}

function renamedThread({ btf }: FragmentOptions): string[] {
  const told = ['"renamed"', '$now', 'pid', '$old', '$ran', ...(btf ? USED : [])];
  return [`print((${told.join(', ')}));`, 'if ($r.0) { delete(@off[$old]); }'];
}

function runsFromNow(options: FragmentOptions): string[] {
  const running = newEntry(CURRENT, RUNNING, options);
  return [`@off[(uint64)pid] = (${running});`, noteFull('@off', '@off[(uint64)pid].0 == 0')];
}

/** What the running thread has used of the CPU, and how long it was ready without having one. */
export const USED = ['curtask->se.sum_exec_runtime', 'curtask->sched_info.run_delay'];

/**
 * A thread waits from the moment on at which it is made. Stacks that are read here are those of the one that makes it. One that
 * is not followed may have the number of one that was, and whose end nobody saw.
 */
export function newThread(options: FragmentOptions): Probe {
  const isThread = `args->clone_flags & ${CLONE_THREAD}`;
  const fields = newEntry({ ...CURRENT, pid: '$pid' }, MADE, options);
  return {
    attach: 'tracepoint:task:task_newtask',
    ...(options.stops ? { predicate: `${STOPPED} == 0` } : {}),
    comment: 'A new thread waits for its first CPU.',
    body: [
      '$now = nsecs;',
      '$tid = (uint64)args->pid;',
      `if (@gen[(uint64)pid]${options.children ? '' : ` && (${isThread})`}) {`,
      '  $pid = $tid;',
      `  if (${isThread}) { $pid = (uint64)pid; }`,
      `  @off[$tid] = (${fields});`,
      `  ${noteFull('@off', '@off[$tid].0 == 0')}`,
      '  print(("thread", $now, $pid, $tid));',
      '} else if (@off[$tid].0) {',
      '  delete(@off[$tid]);',
      '}',
    ],
  };
}

/**
 * A thread that has no entry when it exits gets one, so that its last switch-out tells its end. One that finds no room again
 * tells it here.
 */
export function entryAtExit(options: FragmentOptions): Probe {
  const { btf } = options;
  return {
    attach: 'tracepoint:sched:sched_process_exit',
    predicate: `@gen[(uint64)pid]${unlessStopped(options)}`,
    comment: 'A thread that was not seen, or found no room, has an end, too.',
    body: [
      '$tid = (uint64)tid;',
      'if (@off[$tid].0 == 0) {',
      '  $now = nsecs;',
      `  @off[$tid] = (${newEntry(CURRENT, RUNNING, options)});`,
      `  if (@off[$tid].0 == 0) { ${exitEvent('$now', btf, ...(btf ? USED : []))} }`,
      '}',
    ],
  };
}
