import { indent, type KernelMap, noteFull, unlessStopped } from '../program.ts';
import { exitEvent } from '../tracking.ts';
import { changedEntry, newEntry, stacksOf, WORDS, ZERO } from './off-entry.ts';
import { arrival, entryAtExit, newThread, seesArrival, threadHooks, USED } from './off-threads.ts';
import type { FragmentOptions, Profiler } from './profiler.ts';
import { saveStacks, stackRoom } from './stacks.ts';
import { withCall } from './syscall-times.ts';
import { RUNNING, SEEDED } from './waits.ts';

/** prev_state bits of a thread that leaves for ever: EXIT_DEAD | EXIT_ZOMBIE (linux/sched.h). */
const LEAVING = '0x30';

/**
 * Off-CPU time: each wait runs from the switch-out of a thread to its switch-in. In sched_switch both stacks
 * belong to the thread going out, so they are saved with the start of the wait and used at its end. `@off` has an entry for
 * each thread, also while it runs, which holds how long it has been on a CPU.
 */
export const offcpu: Profiler = {
  name: 'offcpu',
  summary: 'how long each thread was off the CPU, and in which user and kernel stack',
  tracepoints: ['sched:sched_switch', 'task:task_newtask', 'sched:sched_process_exit'],
  takesStacks: true,
  cost: '2 to 6 µs per context switch of a followed thread, 0.3 to 1.7 µs with --no-stacks, 0.1 to 0.4 µs of any other',
  caveats: [
    'a thread that is ready but has no CPU is off-CPU too (state R)',
    'code without frame pointers gives one right user frame and then words that were never code',
    'kernel threads are not followed',
  ],
  fragment: (options) => ({
    begin: [
      ...declareMaps(options),
      ...(seesArrival(options) ? ['@arrived = (uint64)0;', '@used = (uint64)0;'] : []),
    ],
    probes: [
      {
        attach: 'tracepoint:sched:sched_switch',
        comment:
          'The thread going in ends its wait; the one going out begins one, unless it leaves for ever.',
        body: switchOf(options),
      },
      newThread(options),
      ...(options.entersAll ? [entryAtExit(options)] : []),
    ],
    exitsSeen: true,
    maps: [...maps(options), ...(seesArrival(options) ? [helper('@arrived'), helper('@used')] : [])],
  }),
  hooks: threadHooks,
};

/** Whoever is not followed costs two lookups. What asks the kernel is asked once. */
function switchOf(options: FragmentOptions): string[] {
  const { lookup, followed } = outgoing(options);
  const both = [...endOfWait(options), ...startOfWait(options)];
  return [
    '$now = nsecs;',
    '$tid = (uint64)args->prev_pid;',
    '$next = (uint64)args->next_pid;',
    ...arrival(options),
    ...lookup,
    '$w = @off[$next];',
    ...(options.stops
      ? [`if ((${followed} || $w.0)${unlessStopped(options)}) {`, ...indent(both), '}']
      : both),
  ];
}

const ENTRY = '$p = @off[$tid];';
const PROCESS = ['$pid = (uint64)pid;', '$gen = @gen[$pid];'];

/**
 * The thread that goes out: its entry `$p` says whose it is, where each thread has one from its first moment on. Where the
 * program makes no entry for those that are there already, `@gen` says it.
 */
function outgoing({ entersAll }: FragmentOptions) {
  return entersAll
    ? { lookup: [ENTRY], entry: [], followed: '$p.0', pid: '$p.1', generation: '$p.2' }
    : { lookup: PROCESS, entry: [ENTRY], followed: '$gen', pid: '$pid', generation: '$gen' };
}

/** The last switch-out of a thread, with what it used of the CPU, how long it was ready without having one, and its runs. */
function lastEvent(btf: boolean): string {
  return exitEvent('$now', btf, ...(btf ? [...USED, '$ran'] : []));
}

function helper(name: KernelMap['name']): KernelMap {
  return { name, role: 'helper', key: 0, value: 1 };
}

function maps(options: FragmentOptions): KernelMap[] {
  const { words, stacks } = stackRoom(options);
  return [
    { name: '@unseen', role: 'result', key: 1, value: 1 },
    { name: '@missed', role: 'result', key: 1, value: 1 },
    { name: '@extremes', role: 'result', key: 2, value: 2 },
    {
      name: '@waits',
      role: 'result',
      key: 4 + words,
      value: 2,
      perCpu: true,
      stats: true,
      stacksInKey: stacks,
    },
    { name: '@off', role: 'leftover', key: 1, value: WORDS + words, stacksInValue: stacks, noticed: true },
  ];
}

/** bpftrace 0.23 has to know what a map holds before its parts are used. */
function declareMaps(options: FragmentOptions): string[] {
  return [
    `@off[(uint64)0] = (${newEntry({ since: ZERO, pid: ZERO, generation: ZERO }, 0, options)});`,
    'delete(@off[(uint64)0]);',
    '@extremes[(uint64)0, (uint64)0] = ((uint64)0, (uint64)0);',
    'delete(@extremes[(uint64)0, (uint64)0]);',
  ];
}

/** A thread that leaves for ever begins no wait, and its exit is told. */
function startOfWait(options: FragmentOptions): string[] {
  const { entry, followed, pid, generation } = outgoing(options);
  const state = withCall('$state', '$tid', options);
  const fields = ['$now', pid, generation, state, '$ran', '$long', '$short'];
  const save = (stacks: readonly string[]) => [`@off[$tid] = (${[...fields, ...stacks].join(', ')});`];
  return [
    `if (${followed}) {`,
    ...indent([...entry, ...endOfRun(options)]),
    '  $state = (uint64)args->prev_state;',
    `  if ($state & ${LEAVING}) {`,
    `    ${lastEvent(options.btf)}`,
    '    delete(@off[$tid]);',
    '  } else {',
    ...indent(indent(saveStacks(options, save))),
    ...(options.entersAll ? [] : [`    if ($p.0 == 0) { ${noteFull('@off', '@off[$tid].0 == 0')} }`]),
    '  }',
    '}',
  ];
}

/** A thread that comes in while it runs went out unseen, so that its wait is missing: nobody knows how long it ran before. */
function endOfWait(options: FragmentOptions): string[] {
  const runs = { since: '$now', state: `(uint64)${RUNNING}`, longest: '$most', shortest: '$least' };
  return [
    'if ($w.0) {',
    '  $most = $w.5;',
    '  $least = $w.6;',
    `  if ($w.3 == ${RUNNING}) {`,
    '    @missed[$next] = @missed[$next] + 1;',
    '  } else {',
    '    $wait = (uint64)($now - $w.0);',
    ...indent(indent(addWait({ wait: '$w', tid: '$next', longest: '$most', shortest: '$least' }, options))),
    '  }',
    `  @off[$next] = (${changedEntry('$w', runs, options)});`,
    '}',
  ];
}

/**
 * Puts into `$ran` how long the thread that goes out has been on a CPU. One whose wait is still on came in unseen: the kernel
 * does not run BPF programs on every switch (not while another one runs on that CPU, say). The scheduler knows how long the
 * thread has been on the CPU, and so when the wait ended. A thread named while it ran came in before that, and had no wait.
 */
function endOfRun(options: FragmentOptions): string[] {
  const onCpu = 'curtask->se.sum_exec_runtime - curtask->se.prev_sum_exec_runtime';
  const unseen = '@unseen[$tid] = @unseen[$tid] + 1;';
  const mend = [
    `$in = $now - (uint64)(${onCpu});`,
    'if ($in > $p.0) {',
    '  $wait = (uint64)($in - $p.0);',
    ...indent(addWait({ wait: '$p', tid: '$tid', longest: '$long', shortest: '$short' }, options)),
    `  ${unseen}`,
    '} else {',
    '  $in = $p.0;',
    '}',
    '$ran = $ran + (uint64)($now - $in);',
  ];
  const admit = [`if ($p.3 != ${SEEDED}) { ${unseen} }`];
  return [
    '$ran = (uint64)$p.4;',
    '$long = $p.5;',
    '$short = $p.6;',
    `if ($p.3 == ${RUNNING}) {`,
    '  $ran = $ran + (uint64)($now - $p.0);',
    options.entersAll ? '} else {' : '} else if ($p.0) {',
    ...indent(options.btf ? mend : admit),
    '}',
  ];
}

/** Where the statements of a switch have an entry of `@off`, and the extremes that it is to have from then on. */
interface Ending {
  readonly wait: '$w' | '$p';
  readonly tid: string;
  readonly longest: string;
  readonly shortest: string;
}

/**
 * Adds `$wait`, ns, of a thread to its sums. A thread is on one CPU at a time, so that its longest and shortest wait need no
 * value for each of them. Its entry has them, too, so that `@extremes` is looked up for a new one only.
 */
function addWait({ wait, tid, longest, shortest }: Ending, options: FragmentOptions): string[] {
  const { minBlockNs } = options;
  const { words, stacks } = stackRoom(options);
  const key = [`${wait}.1`, `${wait}.2`, `${wait}.3`, ...stacksOf(wait, words + stacks)];
  const sums = [
    `@waits[${[tid, ...key].join(', ')}] = stats($wait);`,
    `if ($wait > ${longest} || $wait < ${shortest}) {`,
    `  $x = @extremes[${tid}, ${wait}.1];`,
    `  ${longest} = $x.0;`,
    `  ${shortest} = $x.1;`,
    `  if ($wait > ${longest}) { ${longest} = $wait; }`,
    `  if ($wait < ${shortest} || ${shortest} == 0) { ${shortest} = $wait; }`,
    `  @extremes[${tid}, ${wait}.1] = (${longest}, ${shortest});`,
    '}',
  ];
  return minBlockNs > 0 ? [`if ($wait >= ${minBlockNs}) {`, ...indent(sums), '}'] : sums;
}
