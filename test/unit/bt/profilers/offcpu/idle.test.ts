import { describe, expect, test } from 'vitest';
import { markIdle } from '../../../../../bt/profilers/offcpu/idle.ts';
import { IDLE_KINDS, IDLE_RULES } from '../../../../../bt/profilers/offcpu/idle-rules.ts';
import type { Offcpu } from '../../../../../bt/profilers/offcpu/off-schema.ts';
import { testNames } from '../../../../../bt/profilers/offcpu/timed-pattern.ts';
import type { Frame } from '../../../../../metrics/fields.ts';
import type { IdleMatch } from '../../../../../metrics/measurement.ts';
import { sleepProfile } from '../../../sleep-recording.ts';

const SLEEP = sleepProfile().ebpf.offcpu as Offcpu;
type Row = Offcpu['stacks'][number];

interface Wait extends Partial<Pick<Row, 'reason' | 'state' | 'tid' | 'count' | 'time_ns'>> {
  /** Function names, leaf first. */
  readonly kernel?: string[];
  readonly user?: (string | null)[];
}

/** Metrics with these waits. */
function metricsOf(waits: readonly Wait[]): Offcpu {
  const frames: Frame[] = [];
  const indices = (symbols: readonly (string | null)[] = []) =>
    symbols.map((symbol) => frames.push({ address: '0x1', symbol, module: null, offset: 0 }) - 1);
  const row = SLEEP.stacks[0] as Row;
  const stacks = waits.map(({ kernel, user, ...rest }) => ({
    ...row,
    ...rest,
    kernel: indices(kernel),
    user: indices(user),
  }));
  const thread = Object.values(SLEEP.thread_stats)[0] as Offcpu['thread_stats'][string];
  const threads = new Map<string, Offcpu['thread_stats'][string]>();
  for (const { pid, tid, time_ns } of stacks) {
    const key = `${pid}:${tid}`;
    threads.set(key, { ...thread, tid, total_time_ns: (threads.get(key)?.total_time_ns ?? 0) + time_ns });
  }
  return { ...SLEEP, frames, stacks, thread_stats: Object.fromEntries(threads) };
}

function idleOf(waits: readonly Wait[], matches: readonly IdleMatch[] = []): (string | null)[] {
  const metrics = metricsOf(waits);
  markIdle(metrics, matches);
  return metrics.stacks.map(({ idle }) => idle);
}

const EPOLL: Wait = { reason: 'poll', kernel: ['schedule', 'ep_poll', 'do_epoll_wait'] };
const FUTEX: Wait = { reason: 'lock', kernel: ['schedule', 'futex_do_wait', '__futex_wait', 'do_futex'] };

describe('waiting for work', () => {
  test.each<[string, Wait, string | null]>([
    ['an event loop', { ...EPOLL, user: ['epoll_wait', 'main'] }, 'events'],
    ['a server in accept', { reason: 'network', kernel: ['inet_csk_accept', 'inet_accept'] }, 'connections'],
    [
      'poll in an event loop',
      {
        reason: 'poll',
        kernel: ['do_poll.constprop.0', 'do_sys_poll'],
        user: ['ppoll', 'g_main_context_iterate'],
      },
      'events',
    ],
    [
      'poll for one answer',
      { reason: 'poll', kernel: ['do_poll.constprop.0', 'do_sys_poll'], user: ['poll', 'ask_server'] },
      null,
    ],
    [
      'a mutex of a thread of a pool',
      { ...FUTEX, user: ['__lll_lock_wait', 'pthread_mutex_lock', 'step', 'ThreadPool::get_next()'] },
      null,
    ],
    [
      'a condition within a task of a pool',
      { ...FUTEX, user: ['pthread_cond_wait', 'ThreadPool::run()'] },
      null,
    ],
    ['a queue of a pool', { ...FUTEX, user: ['pthread_cond_wait', 'ThreadPool::wait_for_task()'] }, 'work'],
    [
      'a kernel function that the compiler has split',
      { reason: 'sleep', kernel: ['do_sigtimedwait.isra.0'] },
      'signals',
    ],
    ['a lock', { ...FUTEX, user: ['pthread_mutex_lock', 'step', 'run_jobs'] }, null],
    [
      'a Java pool',
      { ...FUTEX, user: ['pthread_cond_wait', 'java.util.concurrent.LinkedBlockingQueue.take'] },
      'work',
    ],
    [
      'a Go thread without work',
      { ...FUTEX, user: ['runtime.futex', 'runtime.stopm', 'runtime.findRunnable'] },
      'work',
    ],
    ['a Python pool', { ...FUTEX, user: ['__futex_abstimed_wait_common', '_queue_SimpleQueue_get'] }, 'work'],
    [
      'a libuv pool',
      { ...FUTEX, user: ['pthread_cond_wait', 'uv_cond_wait', 'worker', 'start_thread'] },
      'work',
    ],
    [
      'the name of a pool without a futex',
      { reason: 'disk', kernel: ['folio_wait_bit'], user: ['ThreadPool::run'] },
      null,
    ],
    ['a terminal', { reason: 'pipe', kernel: ['wait_woken', 'n_tty_read', 'tty_read'] }, 'input'],
    ['a signal', { reason: 'sleep', kernel: ['do_sigtimedwait', '__x64_sys_rt_sigtimedwait'] }, 'signals'],
    ['a lock of PostgreSQL, in epoll', { ...EPOLL, user: ['epoll_wait', 'WaitLatch', 'ProcSleep'] }, null],
    ['ready in an event loop', { ...EPOLL, state: 'R', reason: 'preempted' }, null],
    ['functions without names', { reason: 'other', kernel: [], user: [null, null] }, null],
  ])('%s', (_, wait, expected) => {
    expect(idleOf([wait])).toEqual([expected]);
  });

  test('every kind has a rule, except timer and user', () => {
    const kinds = new Set(IDLE_RULES.map(({ kind }) => kind));
    expect(IDLE_KINDS.filter((kind) => !kinds.has(kind))).toEqual(['timer', 'matched']);
  });

  test('idle time is summed by kind', () => {
    const metrics = metricsOf([
      { ...EPOLL, time_ns: 70, count: 7 },
      { ...FUTEX, time_ns: 20, count: 2, user: ['runtime.stopm'] },
      { ...FUTEX, time_ns: 5, count: 1 },
    ]);
    markIdle(metrics, []);
    expect(metrics.idle).toEqual({
      time_ns: 90,
      count: 9,
      by_kind: { events: { time_ns: 70, count: 7 }, work: { time_ns: 20, count: 2 } },
    });
  });
});

describe('a timer loop', () => {
  const nap: Wait = { reason: 'sleep', kernel: ['do_nanosleep'], tid: 9, count: 10, time_ns: 900 };
  const other: Wait = { reason: 'disk', kernel: ['folio_wait_bit'], tid: 8, time_ns: 50 };

  test.each<[string, Wait[], string | null]>([
    ['is a thread that only sleeps, next to others', [nap, other], 'timer'],
    ['is not the only thread of a process: its sleep is what the program does', [nap], null],
    ['is not nine sleeps', [{ ...nap, count: 9 }, other], null],
    ['is not a thread that does more', [nap, other, { ...other, tid: 9, time_ns: 200 }], null],
  ])('%s', (_, waits, expected) => {
    expect(idleOf(waits)[0]).toBe(expected);
  });
});

describe('rules from the user', () => {
  const match = (pattern: RegExp, idle = true): IdleMatch => ({ pattern, idle });

  test('make waits idle, by kernel or user functions', () => {
    const wait = { ...FUTEX, user: ['pthread_cond_wait', 'take_job'] };
    expect(idleOf([wait], [match(/^take_job$/)])).toEqual(['matched']);
    expect(idleOf([wait], [match(/^futex_do_wait$/)])).toEqual(['matched']);
    expect(idleOf([wait], [match(/^take$/)])).toEqual([null]);
  });

  test('can exclude waits, and the last rule decides', () => {
    expect(idleOf([EPOLL], [match(/ep_poll/, false)])).toEqual([null]);
    expect(idleOf([EPOLL], [match(/ep_poll/, false), match(/schedule/)])).toEqual(['matched']);
  });
});

test('a pattern that takes too long is not used, and is tried only once', () => {
  const matches = [
    { pattern: /^main/, idle: true },
    { pattern: /^(a+)+$/, idle: true },
  ];
  const waits: Wait[] = [{ ...FUTEX, user: ['main', `${'a'.repeat(60)}!`] }];
  const metrics = metricsOf(waits);
  expect(markIdle(metrics, matches)).toEqual([
    'the pattern "^(a+)+$" of --idle-match takes too long, and no --idle-match was used: give a simpler one',
  ]);
  expect(metrics.stacks[0]?.idle).toBeNull();
  expect(testNames(matches[1]?.pattern as RegExp, ['a'])).toBeUndefined(); // it is not tried again
});
