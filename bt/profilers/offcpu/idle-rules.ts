/** Kinds of idle waits, by what the thread waits for. */
export const IDLE_KINDS = ['events', 'connections', 'work', 'timer', 'input', 'signals', 'matched'] as const;
export type IdleKind = (typeof IDLE_KINDS)[number];

/**
 * Patterns match function names as they are shown: user functions are demangled. A rule applies to a stack in which
 * each of its patterns matches.
 */
interface IdleRule {
  readonly kind: IdleKind;
  readonly what: string;
  readonly kernel?: RegExp;
  readonly user?: RegExp;
}

/**
 * Waits that are not idle, although their kernel functions are those of an event loop or a pool: a client waits for its
 * answer, a transaction for a lock or for its commit, a thread for a mutex.
 */
export const WORK =
  /^(ProcSleep|ProcWaitForSignal|SyncRepWaitForLSN|WaitForParallelWorkers\w*|PQgetResult|PQexec\w*|pqWait\w*|curl_easy_perform|getaddrinfo|__res_\w+|mysql_real_query|redisGetReply|_*lll_lock_wait\w*|_*(pthread|uv)_(mutex|rwlock|spin)_\w*lock\w*|take_gil)$/;

/** Rules for idle waits. The first rule that applies decides; without one, a wait is not idle. */
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
