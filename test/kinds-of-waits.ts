import type { Reason } from '../metrics/reasons.ts';

/** The kinds of waits in fixtures/workloads/waits.c, grouped by their reason. */
export const KINDS: Readonly<Record<Reason, readonly string[]>> = {
  sleep: ['nanosleep', 'timerfd'],
  lock: ['futex', 'futex_pi', 'flock', 'fcntl', 'semop', 'inode', 'mmap_lock'],
  disk: ['read_disk', 'read_direct', 'fsync', 'io_getevents'],
  network: [
    ...['recv_tcp', 'send_tcp', 'accept_tcp', 'connect_tcp', 'recv_udp'],
    ...['recv_unix', 'send_unix', 'accept_unix', 'connect_unix'],
  ],
  pipe: ['read_pipe', 'write_pipe', 'open_fifo', 'read_terminal', 'eventfd', 'msgrcv', 'mq_receive'],
  poll: ['poll', 'select', 'epoll', 'inotify', 'signalfd'],
  child: ['wait4', 'waitid', 'vfork'],
  page_fault: ['fault', 'userfault'],
  preempted: ['spin'],
  stopped: ['stop', 'traced'],
  other: ['sigwait', 'pause'],
};
