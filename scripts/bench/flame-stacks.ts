import type { FlameStack } from '../../cli/formats/flamegraph/flame-stack.ts';
import type { Reason } from '../../metrics/reasons.ts';
import type { StackFrame } from '../../metrics/timed-stacks.ts';
import { generator } from './random.ts';

const FUNCTIONS = 3000;
const THREADS = 64;
const USER_FRAMES = { least: 22, most: 32 };

/** Kernel stacks, root first, and the reason of the wait. */
const WAITS: readonly (readonly [Reason, string])[] = [
  [
    'lock',
    'do_syscall_64 __x64_sys_futex do_futex futex_wait __futex_wait futex_wait_queue schedule __schedule',
  ],
  [
    'network',
    'do_syscall_64 __x64_sys_recvfrom __sys_recvfrom sock_recvmsg inet_recvmsg tcp_recvmsg sk_wait_data schedule __schedule',
  ],
  ['disk', 'do_syscall_64 __x64_sys_fsync do_fsync ext4_sync_file jbd2_log_wait_commit schedule __schedule'],
  [
    'poll',
    'do_syscall_64 __x64_sys_epoll_wait do_epoll_wait ep_poll schedule_hrtimeout_range schedule __schedule',
  ],
  [
    'sleep',
    'do_syscall_64 __x64_sys_clock_nanosleep common_nsleep hrtimer_nanosleep do_nanosleep schedule __schedule',
  ],
  ['pipe', 'do_syscall_64 __x64_sys_read ksys_read vfs_read pipe_read schedule __schedule'],
  ['page_fault', 'asm_exc_page_fault exc_page_fault do_user_addr_fault handle_mm_fault schedule __schedule'],
];

/** Generates different stacks of an invented large service. They are the same in every run. */
export function manyStacks(stacks: number): FlameStack[] {
  const random = generator(4711);
  const below = (n: number) => Math.floor(random() * n);
  const functions = Array.from({ length: FUNCTIONS }, (_, i) => userFrame(functionName(i, below), i));
  // A function has few callees, so that stacks share their outer frames.
  const callees = functions.map(() => Array.from({ length: 1 + below(4) }, () => below(FUNCTIONS)));
  const waits = WAITS.map(([kind, names]) => ({ kind, frames: names.split(' ').map(kernelFrame) }));
  const made = new Map<string, FlameStack>();
  while (made.size < stacks) {
    const thread = below(THREADS);
    const wait = waits[below(waits.length)] as (typeof waits)[number];
    const path = [thread % 8];
    const depth = USER_FRAMES.least + below(USER_FRAMES.most - USER_FRAMES.least);
    while (path.length < depth) {
      const next = callees[path.at(-1) as number] as number[];
      path.push(next[below(next.length)] as number);
    }
    made.set(`${path}:${wait.kind}`, {
      ...{ pid: 4711, tid: 4711 + thread, comm: `worker-${thread}`, kind: wait.kind },
      ...{ idle: wait.kind === 'poll', open: false, timeNs: 1000 + below(2 ** 27), count: 1 + below(5000) },
      frames: [...path.map((i) => functions[i] as StackFrame), ...wait.frames],
    });
  }
  return [...made.values()];
}

const SPACES = 'orders storage network cache query scheduler metrics runtime replication encoding'.split(' ');
const TYPES = 'Session Executor Table Connection Buffer Planner Snapshot Journal Lease Shard'.split(' ');
const VERBS = 'acquire commit read flush append resolve dispatch serialize validate rebalance'.split(' ');
const NOUNS = 'Transaction Page Segment Request Batch Index Cursor Message Checkpoint Partition'.split(' ');

/** 25 to 60 letters. */
function functionName(i: number, below: (n: number) => number): string {
  const word = (words: readonly string[]) => words[below(words.length)];
  const name = `acme::${word(SPACES)}::${word(TYPES)}${word(NOUNS)}::${word(VERBS)}${word(NOUNS)}${i}`;
  return below(3) === 0 ? `${name}(std::string const&)` : name;
}

function userFrame(symbol: string, i: number): StackFrame {
  const module =
    i % 5 === 0 ? '/usr/lib/x86_64-linux-gnu/libacme-storage.so.7' : '/opt/acme/bin/orders-server';
  return {
    frame: { address: `0x${(0x400000 + i * 64).toString(16)}`, symbol, module, offset: 16 },
    ...{ kind: 'user', mapping: undefined },
  };
}

function kernelFrame(symbol: string): StackFrame {
  return {
    frame: { address: '0xffffffff81000000', symbol, module: '[kernel]', offset: 16 },
    ...{ kind: 'kernel', mapping: undefined },
  };
}
