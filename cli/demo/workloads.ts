/** A program of cli/demo/demo.c. It waits in one typical way. */
export interface Workload {
  readonly name: string;
  /** What it is, in a few words. */
  readonly what: string;
  /** Whether it writes a file. */
  readonly scratch?: true;
  /** Duration of the collection, ms, for a program that would not end. */
  readonly durationMs?: number;
  /** How to read its profile, and how to fix the problem. */
  readonly reading: readonly [string, string, string];
}

export const WORKLOADS: readonly Workload[] = [
  {
    name: 'lock-convoy',
    what: 'four threads that compete for one lock',
    reading: [
      'Together, the four threads use little more than one CPU: compare "lock" with "on the CPU".',
      'Each thread waits in add_to_total, which holds the lock while it computes.',
      'To fix it, hold the lock for a shorter time. More threads would only wait longer.',
    ],
  },
  {
    name: 'slow-disk',
    what: 'records that are written one at a time, each with fsync',
    scratch: true,
    reading: [
      'The thread spends most of its time in "disk": fsync returns only when the data is on the disk.',
      'Each record takes two or more waits: for the data, and for the journal of the file system.',
      'To fix it, sync many records at once. Time per call: btprof demo slow-disk --syscall-times',
    ],
  },
  {
    name: 'sleepy-loop',
    what: 'a loop that sleeps before it looks for work again',
    reading: [
      'The time is "sleep", in poll_for_work: nothing is slow, the program itself asked to sleep.',
      '"waits" is how often it slept. Divide the time by it to get the length of one sleep.',
      'To fix it, wait for the work itself, with poll or a condition variable.',
    ],
  },
  {
    name: 'chatty-syscalls',
    what: 'a file that is read byte by byte',
    reading: [
      'It hardly waits: nearly all time is "on the CPU". Look at the rate of system calls instead.',
      'Nearly all of them are read, which reads one byte each time.',
      'To fix it, read more at once. Time per call: btprof demo chatty-syscalls --syscall-times',
    ],
  },
  {
    name: 'cpu-starvation',
    what: 'four computing threads for each CPU',
    reading: [
      'The waits are "preempted": a thread was ready to run, but another one had the CPU.',
      'Four threads share each CPU, so each one waits three quarters of its time.',
      'To fix it, use fewer threads or more CPUs. Busy CPUs make all other waits longer, too.',
    ],
  },
  {
    name: 'idle-server',
    what: 'a server that waits for connections, but nobody connects',
    reading: [
      'Four threads wait in epoll_wait all the time. That is fine: they have nothing to do.',
      'btprof treats this as idle time, keeps it out of the bottlenecks, and shows it in one line.',
      'To list idle waits like all others: btprof demo idle-server --idle show',
    ],
  },
  {
    name: 'deadlock',
    what: 'two threads that each hold the lock that the other one wants',
    durationMs: 2000,
    reading: [
      'Both threads wait for a lock in transfer, and still waited when the collection ended.',
      'They are in the list of threads still off the CPU. Most tools count only waits that ended.',
      'To fix it, always take locks in the same order. Whole stacks: btprof demo deadlock -v',
    ],
  },
  {
    name: 'pipe-stall',
    what: 'a producer that is faster than its consumer',
    reading: [
      'Two processes share a pipe. One waits in produce because the pipe is full.',
      'The process that waits is not the slow one: the consumer uses the CPU, in consume.',
      'If the consumer waited in read, the pipe would be empty and the producer too slow.',
    ],
  },
  {
    name: 'page-fault-storm',
    what: 'a mapped file whose pages are not in memory',
    scratch: true,
    reading: [
      'The time is "page_fault": touch_pages reads memory that must first come from the disk.',
      'The kernel stack shows the fault and the disk wait: btprof demo page-fault-storm -v',
      'To fix it, add memory, read in order, or request the pages early (madvise).',
    ],
  },
];
