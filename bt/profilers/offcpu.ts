import { z } from 'zod';
import type { Entry } from '../../parsers/entries.ts';
import { readInteger } from '../../parsers/integer.ts';
import { CLONE_THREAD, type KernelMap, noteFull, type Probe, STOPPED } from '../program.ts';
import { exitEvent } from '../tracking.ts';
import type { FragmentOptions, Profiler } from './profiler.ts';
import {
  indent,
  type NumberedStacks,
  otherStacks,
  saveStacks,
  splitStacks,
  stackRoom,
  unlessStopped,
} from './stacks.ts';
import { type CallId, splitState, withCall } from './syscall-times.ts';

/** prev_state of a thread that was blocked already when it was named to the program; no kernel state has it. */
const SEEDED = 0x1000;
/** prev_state of a thread that was made and has not run yet. */
const MADE = 0x2000;
/** prev_state bits of a thread that leaves for ever: EXIT_DEAD | EXIT_ZOMBIE (linux/sched.h). */
const LEAVING = '0x30';

/**
 * Off-CPU time: each wait runs from the switch-out of a thread to its switch-in. In sched_switch both stacks
 * belong to the thread going out, so they are saved with the start of the wait and used at its end.
 */
export const offcpu: Profiler = {
  name: 'offcpu',
  summary: 'how long each thread was off the CPU, and in which user and kernel stack',
  tracepoints: ['sched:sched_switch', 'task:task_newtask'],
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
    ],
    exitsSeen: true,
    maps: [...maps(options), ...(seesArrival(options) ? [helper('@arrived'), helper('@used')] : [])],
  }),
  onCommand: (options) => (seesArrival(options) ? [BEGAN] : []),
  onNamed: (options) => [
    '$now = nsecs;',
    '$w = @off[$named];',
    'if ($w.0 == 0) {',
    `  @off[$named] = (${['$now', '$named', '(uint64)1', `(uint64)${SEEDED}`, ...otherStacks(options)].join(', ')});`,
    `  ${noteFull('@off', '@off[$named].0 == 0')}`,
    '}',
  ],
};

/** Whoever is not followed costs two lookups; a helper is called once, for each call takes as long as half a lookup. */
function switchOf(options: FragmentOptions): string[] {
  const both = [...endOfWait(options), ...startOfWait(options)];
  return [
    '$now = nsecs;',
    '$tid = (uint64)args->prev_pid;',
    '$next = (uint64)args->next_pid;',
    ...arrival(options),
    '$pid = (uint64)pid;',
    '$gen = @gen[$pid];',
    '$w = @off[$next];',
    ...(options.stops ? [`if (($gen || $w.0) && ${STOPPED} == 0) {`, ...indent(both), '}'] : both),
  ];
}

/**
 * What the held process has used of the CPU when it becomes the command: until it went out last, which may have been before
 * the probes were live, and since it came in. The scheduler's own sum is behind by what has passed since its last look.
 */
const BEGAN =
  'print(("began", nsecs, pid, @used, curtask->se.prev_sum_exec_runtime, @arrived, curtask->sched_info.run_delay));';

function arrival(options: FragmentOptions): string[] {
  if (!seesArrival(options)) return [];
  return [
    `if ($next == ${options.held}) { @arrived = $now; }`,
    `if ($tid == ${options.held}) { @used = curtask->se.sum_exec_runtime; }`,
  ];
}

function seesArrival({ held, btf }: FragmentOptions): boolean {
  return held !== undefined && btf;
}

/** The last switch-out of a thread, with what it used of the CPU and how long it was ready without having one. */
function lastEvent(btf: boolean): string {
  const cpu = btf ? ['curtask->se.sum_exec_runtime', 'curtask->sched_info.run_delay'] : [];
  return exitEvent('$now', btf, ...cpu);
}

/** A thread waits from the moment on at which it is made. The stacks here are those of the one that makes it. */
function newThread(options: FragmentOptions): Probe {
  const isThread = `args->clone_flags & ${CLONE_THREAD}`;
  const fields = ['$now', '$pid', '@gen[(uint64)pid]', `(uint64)${MADE}`, ...otherStacks(options)];
  return {
    attach: 'tracepoint:task:task_newtask',
    predicate: `@gen[(uint64)pid]${unlessStopped(options)}${options.children ? '' : ` && (${isThread})`}`,
    comment: 'A new thread waits for its first CPU.',
    body: [
      '$now = nsecs;',
      '$tid = (uint64)args->pid;',
      '$pid = $tid;',
      `if (${isThread}) { $pid = (uint64)pid; }`,
      `@off[$tid] = (${fields.join(', ')});`,
      noteFull('@off', '@off[$tid].0 == 0'),
      'print(("thread", $now, $pid, $tid));',
    ],
  };
}

function helper(name: KernelMap['name']): KernelMap {
  return { name, role: 'helper', key: 0, value: 1 };
}

function maps(options: FragmentOptions): KernelMap[] {
  const { words, stacks } = stackRoom(options);
  return [
    { name: '@unseen', role: 'result', key: 1, value: 1 },
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
    { name: '@off', role: 'leftover', key: 1, value: 4 + words, stacksInValue: stacks, noticed: true },
  ];
}

/** bpftrace 0.23 has to know what a map holds before its parts are used. */
function declareMaps(options: FragmentOptions): string[] {
  const nothing = [...Array(4).fill('(uint64)0'), ...otherStacks(options)];
  return [
    `@off[(uint64)0] = (${nothing.join(', ')});`,
    'delete(@off[(uint64)0]);',
    '@extremes[(uint64)0, (uint64)0] = ((uint64)0, (uint64)0);',
    'delete(@extremes[(uint64)0, (uint64)0]);',
  ];
}

/** `@off[tid]`: (since, tgid, exec generation, state, kernel stack, user stack) of the wait in progress. */
function startOfWait(options: FragmentOptions): string[] {
  const fields = ['$now', '$pid', '$gen', withCall('$state', '$tid', options)];
  const save = (stacks: readonly string[]) => [`@off[$tid] = (${[...fields, ...stacks].join(', ')});`];
  return [
    'if ($gen) {',
    ...indent(unseenEnd(options)),
    '  $state = (uint64)args->prev_state;',
    `  if ($state & ${LEAVING}) {`,
    `    ${lastEvent(options.btf)}`,
    '  } else {',
    ...indent(indent(saveStacks(options, save))),
    `    ${noteFull('@off', '@off[$tid].0 == 0')}`,
    '  }',
    '}',
  ];
}

function endOfWait(options: FragmentOptions): string[] {
  return [
    'if ($w.0) {',
    '  $wait = (uint64)($now - $w.0);',
    ...indent(addWait('$w', '$next', options)),
    '  delete(@off[$next]);',
    '}',
  ];
}

/**
 * A thread that goes out while its wait is still on came in unseen: the kernel does not run BPF programs on every
 * switch (not while another one runs on that CPU, say). The scheduler knows how long the thread has been on the CPU,
 * and so when the wait ended. A thread named while it ran came in before that, and had no wait.
 */
function unseenEnd(options: FragmentOptions): string[] {
  const onCpu = 'curtask->se.sum_exec_runtime - curtask->se.prev_sum_exec_runtime';
  const unseen = indent(['@unseen[$tid] = @unseen[$tid] + 1;']);
  const mend = [
    `$in = $now - (uint64)(${onCpu});`,
    'if ($in > $p.0) {',
    '  $wait = (uint64)($in - $p.0);',
    ...indent(addWait('$p', '$tid', options)),
    ...unseen,
    '}',
  ];
  const admit = [`if ($p.3 != ${SEEDED}) {`, ...unseen, '}'];
  return [
    '$p = @off[$tid];',
    'if ($p.0) {',
    ...indent(options.btf ? mend : admit),
    '  delete(@off[$tid]);',
    '}',
  ];
}

/**
 * Adds `$wait`, ns, of a thread to its sums; `wait` names the variable that holds its entry of `@off`. A thread is on one CPU
 * at a time, so that its longest and shortest wait need no value for each of them.
 */
function addWait(wait: '$w' | '$p', tid: string, options: FragmentOptions): string[] {
  const { minBlockNs } = options;
  const fields = [1, 2, 3, ...otherStacks(options).map((_, i) => 4 + i)];
  const sums = [
    `@waits[${[tid, ...fields.map((i) => `${wait}.${i}`)].join(', ')}] = stats($wait);`,
    `$x = @extremes[${tid}, ${wait}.1];`,
    'if ($x.0 == 0) {',
    `  @extremes[${tid}, ${wait}.1] = ($wait, $wait);`,
    '} else if ($wait > $x.0) {',
    `  @extremes[${tid}, ${wait}.1] = ($wait, $x.1);`,
    '} else if ($wait < $x.1) {',
    `  @extremes[${tid}, ${wait}.1] = ($x.0, $wait);`,
    '}',
  ];
  return minBlockNs > 0 ? [`if ($wait >= ${minBlockNs}) {`, ...indent(sums), '}'] : sums;
}

/** What one thread waited in one state and one stack, as the kernel added it up. */
export interface WaitRow {
  readonly pid: number;
  readonly tid: number;
  readonly generation: number;
  readonly state: TaskState;
  /** The system call that it was within; with --syscall-times. */
  readonly call: CallId | undefined;
  /** The wait was on already when the collection began, and counts from there; it has no stack. */
  readonly sinceStart: boolean;
  readonly count: number;
  readonly totalNs: number;
  /** The thread was new: nobody was there whose stack could be taken. */
  readonly made: boolean;
  /** Stacks as bpftrace printed them; empty when there is none. */
  readonly kernel: string;
  readonly user: string;
}

/** A wait that had not ended. */
export interface OpenWait extends Omit<WaitRow, 'count' | 'totalNs'> {
  readonly sinceNs: number;
}

/** The letters of ps and /proc: running or runnable, sleeping, disk sleep, stopped, traced, dead, idle, parked. */
export const TASK_STATES = ['R', 'S', 'D', 'T', 't', 'X', 'Z', 'P', 'I', '?'] as const;
export type TaskState = (typeof TASK_STATES)[number];

const integer = z.preprocess(readInteger, z.number());
const id = z.preprocess(readInteger, z.int().max(0xffff_ffff));
const waiting = [integer, id, id, integer] as const;
const openWait = z.union([z.tuple([...waiting, integer, integer]), z.tuple(waiting).rest(z.string())]);

/**
 * One entry of `@waits`; undefined when it cannot be read.
 * Key: `tid,tgid,generation,state[,kernel stack,user stack]`, or the numbers of the stacks in their place; value:
 * `{"count":5,"average":20,"total":100}`.
 */
export function readWait(entry: Entry, numbered?: NumberedStacks): WaitRow | undefined {
  const key = /^(\d{1,10}),(\d{1,10}),(\d{1,10}),(\d{1,16})(?:,|$)/.exec(entry.key);
  const stats = readStats(entry.value);
  if (!key || !stats) return undefined;
  const [kernel, user] = splitStacks(entry.key.slice(key[0].length), numbered);
  return {
    tid: Number(key[1]),
    pid: Number(key[2]),
    generation: Number(key[3]),
    ...readState(Number(key[4]), kernel, user),
    count: stats.count,
    totalNs: stats.totalNs,
  };
}

/** What `stats()` adds up; by hand, for a large print has more of them than of all else. */
function readStats(value: unknown): Pick<WaitRow, 'count' | 'totalNs'> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { count: counted, total } = value as Record<string, unknown>;
  const [count, totalNs] = [readInteger(counted), readInteger(total)];
  if (!count || totalNs === undefined) return undefined; // a sum of nothing was read wrongly
  return { count, totalNs };
}

/** One entry of `@off`: key is the tid, value `[since, tgid, generation, state[, kernel stack, user stack]]`, or their numbers. */
export function readOpenWait(entry: Entry, numbered?: NumberedStacks): OpenWait | undefined {
  const value = openWait.safeParse(entry.value);
  if (!value.success || !/^\d{1,10}$/.test(entry.key)) return undefined;
  const [sinceNs, pid, generation, state, ...stacks] = value.data;
  const [kernel, user] = splitStacks(stacks.join(','), numbered);
  return { tid: Number(entry.key), pid, generation, ...readState(state, kernel, user), sinceNs };
}

const extremes = z.tuple([integer, integer]);

/** The longest and the shortest wait of a thread, ns. */
export interface Extremes {
  readonly tid: number;
  readonly pid: number;
  readonly longestNs: number;
  readonly shortestNs: number;
}

/** One entry of `@extremes`: key `tid,tgid`, value `[longest, shortest]` in ns. */
export function readExtremes(entry: Entry): Extremes | undefined {
  const key = /^(\d{1,10}),(\d{1,10})$/.exec(entry.key);
  const value = extremes.safeParse(entry.value);
  if (!key || !value.success) return undefined;
  const [longestNs, shortestNs] = value.data;
  return { tid: Number(key[1]), pid: Number(key[2]), longestNs, shortestNs };
}

/** One entry of `@unseen`: key tid, value how many of its switches were not seen. */
export function readUnseen(entry: Entry): number | undefined {
  return /^\d{1,10}$/.test(entry.key) ? readInteger(entry.value) : undefined;
}

/** The name of a thread in the result: `PID:TID`. */
export function threadKey(pid: number, tid: number): string {
  return `${pid}:${tid}`;
}

/** A wait that another thread began, by a name or by making the thread, carries the stacks of that one: they are dropped. */
function readState(word: number, kernel: string, user: string) {
  const { state, call } = splitState(word);
  const [sinceStart, made] = [state === SEEDED, state === MADE];
  const own = !sinceStart && !made;
  return {
    state: own ? stateLetter(state) : made ? ('R' as const) : ('?' as const),
    call,
    sinceStart,
    made,
    kernel: own ? kernel : '',
    user: own ? user : '',
  };
}

/** `prev_state` of sched_switch: one bit each, 0 or 0x100 when the thread could have run on. */
function stateLetter(state: number): TaskState {
  const letters: readonly [number, TaskState][] = [
    [0x01, 'S'],
    [0x02, 'D'],
    [0x04, 'T'],
    [0x08, 't'],
    [0x10, 'X'],
    [0x20, 'Z'],
    [0x40, 'P'],
    [0x80, 'I'],
  ];
  if (state === 0 || state === 0x100) return 'R';
  return letters.find(([bit]) => state & bit)?.[1] ?? '?';
}
