import type { Frame, Offcpu } from './ebpf-schema.ts';

/** What a thread waits for that has no work to do. */
export const IDLE_KINDS = ['events', 'connections', 'work', 'timer', 'input', 'signals', 'matched'] as const;
type IdleKind = (typeof IDLE_KINDS)[number];

/** A user's own rule: waits under functions that match are idle, or are not. */
export interface IdleMatch {
  readonly pattern: RegExp;
  readonly idle: boolean;
}

/** Functions as they are shown: of user code demangled. A rule holds for a stack in which each of its patterns matches. */
interface IdleRule {
  readonly kind: IdleKind;
  readonly what: string;
  readonly kernel?: RegExp;
  readonly user?: RegExp;
}

/**
 * Waiting within work, although the kernel functions are those of an event loop or of a pool: a client that waits for its
 * answer, a transaction that waits for a lock or for its commit to be safe, and whoever waits for a mutex.
 */
const WORK =
  /^(ProcSleep|ProcWaitForSignal|SyncRepWaitForLSN|WaitForParallelWorkers\w*|PQgetResult|PQexec\w*|pqWait\w*|curl_easy_perform|getaddrinfo|__res_\w+|mysql_real_query|redisGetReply|_*lll_lock_wait\w*|_*(pthread|uv)_(mutex|rwlock|spin)_\w*lock\w*|take_gil)$/;

/** Waiting for work to come. The first rule that holds decides; without one a wait is within work. */
export const IDLE_RULES: readonly IdleRule[] = [
  {
    kind: 'connections',
    what: 'a server in accept()',
    kernel: /^(inet_csk_accept|inet_csk_wait_for_connect|unix_accept)(\.\w+)*$/,
  },
  { kind: 'events', what: 'an event loop in epoll_wait()', kernel: /^(ep_poll|do_epoll_p?wait\w*)(\.\w+)*$/ },
  {
    kind: 'events',
    what: 'an event loop in poll() or select()',
    kernel: /^(do_sys_poll|do_poll\w*|do_select|core_sys_select)(\.\w+)*$/,
    user: /^(g_main_(loop_run|context_iterat\w*)|uv_run|uv__io_poll|ev_run|event_base_loop|aeProcessEvents|select_select|select_poll_poll\w*|ServerLoop|QEventDispatcher\w*::processEvents.*)$/,
  },
  {
    kind: 'events',
    what: 'a reader of inotify, fanotify or signalfd',
    kernel: /^(inotify_read|fanotify_read|signalfd_(read|dequeue)\w*)(\.\w+)*$/,
  },
  {
    kind: 'work',
    what: 'a thread of a pool, on its queue',
    kernel: /^(futex_|__futex_|do_futex$)/,
    user: new RegExp(
      [
        '^uv_cond_wait$|node::TaskQueue|TaskRunner.{0,80}BlockingPop', // libuv, Node.js, V8
        String.raw`^_queue_SimpleQueue_get|simplequeue_get|^py::(SimpleQueue|Queue)\.get`, // CPython
        String.raw`BlockingQueue(::|\.)(take|poll)|SynchronousQueue|ThreadPoolExecutor(::|\.)getTask|ForkJoinPool(::|\.)awaitWork`, // Java
        '^(CompileQueue::get|WorkerTaskDispatcher::|VMThread::wait_for|WatcherThread::sleep)', // HotSpot
        String.raw`^runtime\.(stopm|findRunnable|sysmon|templateThread|gcBgMarkWorker)`, // Go
        '^(tokio::runtime::.{0,80}park|rayon_core::sleep|crossbeam_channel::.{0,80}recv|std::sync::mpmc::.{0,80}recv)', // Rust
        String.raw`^(bioProcessBackgroundJobs|background_thread_entry|ngx_thread_pool_cycle|g_thread_pool_wait\w*|g_async_queue_\w*pop\w*)$`, // redis, jemalloc, nginx, GLib
        String.raw`([Tt]hread_?[Pp]ool|([Ww]ork|[Tt]ask|[Jj]ob)_?[Qq]ueue)\w{0,20}(::|\.)?\w{0,20}([Ww]ait|[Pp]op|[Tt]ake|[Gg]et|[Dd]equeue|[Nn]ext|[Ii]dle|[Pp]ark)`,
      ].join('|'),
    ),
  },
  { kind: 'input', what: 'a terminal', kernel: /^n_tty_read(\.\w+)*$/ },
  {
    kind: 'signals',
    what: 'a signal, in sigwait(), sigsuspend() or pause()',
    kernel: /^(do_sigtimedwait|sigsuspend|__\w+_sys_pause|sys_pause)(\.\w+)*$/,
  },
];

/** A thread that sleeps again and again, and does little else. */
const TIMER = { waits: 10, share: 0.9 } as const;

type Row = Pick<Offcpu['stacks'][number], 'pid' | 'tid' | 'reason' | 'state' | 'user' | 'kernel'>;

/** Says of each wait what it was idle for, and sums that up. `frames` have their names for people. */
export function markIdle(offcpu: Offcpu, matches: readonly IdleMatch[]): void {
  const kindOf = idleKinds(offcpu.frames, matches);
  const timer = timerThreads(offcpu);
  for (const row of [...offcpu.stacks, ...offcpu.still_blocked]) {
    const byTimer = row.reason === 'sleep' && timer.has(`${row.pid}:${row.tid}`) ? 'timer' : null;
    const decided = kindOf(row);
    row.idle = decided === undefined ? byTimer : decided;
  }
  offcpu.idle = idleSums(offcpu.stacks);
}

function idleSums(stacks: Offcpu['stacks']): Offcpu['idle'] {
  const sums: Offcpu['idle'] = { time_ns: 0, count: 0, by_kind: {} };
  for (const { idle, time_ns, count } of stacks) {
    if (idle === null) continue;
    sums.time_ns += time_ns;
    sums.count += count;
    const kind = sums.by_kind[idle] ?? { time_ns: 0, count: 0 };
    sums.by_kind[idle] = { time_ns: kind.time_ns + time_ns, count: kind.count + count };
  }
  return sums;
}

/** What a stack says: a kind, null for waiting within work, undefined for nothing. */
function idleKinds(
  frames: readonly Frame[],
  matches: readonly IdleMatch[],
): (row: Row) => IdleKind | null | undefined {
  const under = (pattern: RegExp) => {
    const matching = frames.map(({ symbol }) => symbol !== null && pattern.test(symbol));
    return (stack: readonly number[]) => stack.some((index) => matching[index]);
  };
  const asked = matches.map(({ pattern, idle }) => ({ under: under(pattern), idle })).reverse();
  const bits = frames.map(({ symbol }) => (symbol === null ? 0 : bitsOf(symbol.slice(0, LONGEST_NAME))));
  const bitsUnder = (stack: readonly number[]) => stack.reduce((all, index) => all | (bits[index] ?? 0), 0);
  return ({ state, user, kernel }) => {
    const match = asked.find((match) => match.under(kernel) || match.under(user));
    if (match) return match.idle ? 'matched' : null;
    const [inUser, inKernel] = [bitsUnder(user), bitsUnder(kernel)];
    if (state === 'R' || inUser & WORK_BIT) return null;
    return RULE_BITS.find(({ user, kernel }) => (inUser & user) === user && (inKernel & kernel) === kernel)
      ?.kind;
  };
}

/** Characters of a name that patterns look at: C++ has names of many thousands. */
const LONGEST_NAME = 512;

const WORK_BIT = 1;
/** A bit for each pattern of the rules. */
const RULE_BITS = IDLE_RULES.map(({ kind, kernel, user }, i) => ({
  kind,
  kernel: kernel ? 2 << (2 * i) : 0,
  user: user ? 4 << (2 * i) : 0,
}));

/** The patterns that a function matches: whole stacks of them are put together by or. */
function bitsOf(symbol: string): number {
  let bits = WORK.test(symbol) ? WORK_BIT : 0;
  for (const [i, { kernel, user }] of IDLE_RULES.entries()) {
    if (kernel?.test(symbol)) bits |= 2 << (2 * i);
    if (user?.test(symbol)) bits |= 4 << (2 * i);
  }
  return bits;
}

/** Threads, as `PID:TID`, that only ever sleep, next to others of their process: those do its work. */
function timerThreads({ stacks, thread_stats }: Offcpu): Set<string> {
  const threadsOf = new Map<string, number>();
  const processOf = (key: string) => key.slice(0, key.indexOf(':'));
  for (const key of Object.keys(thread_stats))
    threadsOf.set(processOf(key), (threadsOf.get(processOf(key)) ?? 0) + 1);
  const slept = new Map<string, { time: number; waits: number }>();
  for (const { pid, tid, reason, time_ns, count } of stacks) {
    if (reason !== 'sleep') continue;
    const sum = slept.get(`${pid}:${tid}`) ?? { time: 0, waits: 0 };
    slept.set(`${pid}:${tid}`, { time: sum.time + time_ns, waits: sum.waits + count });
  }
  const only = [...slept].filter(([key, { time, waits }]) => {
    const total = thread_stats[key]?.total_time_ns ?? Infinity;
    return waits >= TIMER.waits && time >= TIMER.share * total && (threadsOf.get(processOf(key)) ?? 0) > 1;
  });
  return new Set(only.map(([key]) => key));
}
