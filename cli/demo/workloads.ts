/** A program of cli/demo/demo.c, which waits in one way. */
export interface Workload {
  readonly name: string;
  /** What it does, in a few words. */
  readonly what: string;
  /** Whether it writes a file. */
  readonly scratch?: true;
  /** When its collection ends, ms; where the program itself would not. */
  readonly durationMs?: number;
  /** How to read its profile, and what helps. */
  readonly reading: readonly [string, string, string];
}

export const WORKLOADS: readonly Workload[] = [
  {
    name: 'lock-convoy',
    what: 'four threads that want one lock',
    reading: [
      'Four threads, and together they get little more than one CPU: compare "lock" with "on the CPU".',
      'Each waits for its turn in add_to_total, which holds the lock while it computes.',
      'Hold the lock for less time; more threads only wait longer. The place to change leads the chain.',
    ],
  },
  {
    name: 'slow-disk',
    what: 'records that are written one by one, each with fsync',
    scratch: true,
    reading: [
      'One thread, and most of its time is "disk": fsync returns when the disk has the data, not before.',
      'Two waits or more for each record: one for the data, one for the journal of the file system.',
      'Sync many records at once. What each call takes: btprof demo slow-disk --syscall-times',
    ],
  },
  {
    name: 'sleepy-loop',
    what: 'a loop that sleeps before it looks for work again',
    reading: [
      'The time is "sleep", in poll_for_work: nothing is slow, the program itself asked for it.',
      'How often is the number of waits, and time by waits is how long each time.',
      'Wait for the work itself (poll, a condition variable), not for time to pass.',
    ],
  },
  {
    name: 'chatty-syscalls',
    what: 'a file that is read byte by byte',
    reading: [
      'It hardly waits: nearly all is "on the CPU". Look at the system calls, and at how many a second.',
      'One call makes up nearly all of them: read, for one byte each time.',
      'Read more at once. What each call takes: btprof demo chatty-syscalls --syscall-times',
    ],
  },
  {
    name: 'cpu-starvation',
    what: 'four threads for each CPU that all compute',
    reading: [
      'Waits are "preempted": a thread was ready and another one ran. No lock and no disk is slow.',
      'Four threads share each CPU: three quarters of the time of each is waiting, one quarter running.',
      'Take fewer threads, more CPUs, or less work. Other waits grow longer by this one, too.',
    ],
  },
  {
    name: 'idle-server',
    what: 'a server that waits for connections that nobody makes',
    reading: [
      'Four threads wait in epoll_wait all the time, and that is well: they have nothing to do.',
      'This is "waiting for work", which is told apart from waits within work, and shown in one line.',
      'To list it like other waits: btprof demo idle-server --idle show',
    ],
  },
  {
    name: 'deadlock',
    what: 'two threads, each of which holds the lock that the other one wants',
    durationMs: 2000,
    reading: [
      'Both threads wait in transfer for a lock, and still did when the collection ended.',
      'They are in the list of those still off the CPU; waits that end are all that most tools count.',
      'Take locks in one order everywhere. Both stacks whole: btprof demo deadlock -v',
    ],
  },
  {
    name: 'pipe-stall',
    what: 'a producer that is faster than its consumer',
    reading: [
      'Two processes share a pipe, and one waits in produce, for the pipe is full: the other one is slow.',
      'What waits is not what is slow: the consumer is the one on the CPU, in consume.',
      'Had it waited in a read, the pipe would be empty, and the producer the one to look at.',
    ],
  },
  {
    name: 'page-fault-storm',
    what: 'a mapped file whose pages are not in memory',
    scratch: true,
    reading: [
      'The time is "page_fault": touch_pages makes no call, it reads memory that comes from the disk.',
      'The kernel stack shows the fault and the wait for the disk: btprof demo page-fault-storm -v',
      'Give it more memory, read in order, or ask for the pages early (madvise).',
    ],
  },
];
