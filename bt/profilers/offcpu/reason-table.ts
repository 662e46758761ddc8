import type { Reason } from '../../../metrics/reasons.ts';
import { waitSite } from '../../../metrics/wait-site.ts';

/** Reasons whose stacks do not explain the wait: a preempted thread may have been anywhere. */
export const KIND_TEXTS: Readonly<Record<string, string>> = { preempted: 'ready, waiting for a CPU' };

/** Reasons that follow from the state alone: the thread could have run on, or a signal or a debugger stopped it. */
const BY_STATE: Readonly<Record<string, Reason>> = { R: 'preempted', T: 'stopped', t: 'stopped' };

/** A row of the table of reasons. */
export interface ReasonRow {
  readonly reason: Reason;
  readonly what: string;
  /** Kernel functions; a star at the end matches any rest of the name. */
  readonly functions: readonly string[];
}

function row(reason: Reason, what: string, functions: string): ReasonRow {
  return { reason, what, functions: functions.trim().split(/\s+/) };
}

/**
 * A page that is not in memory yet. Such a wait counts as a page fault, even if the page comes from a disk, or if data
 * from a pipe was to be stored in it.
 */
export const PAGE_FAULT = row(
  'page_fault',
  'a page of memory',
  `asm_exc_page_fault exc_page_fault do_user_addr_fault do_page_fault handle_mm_fault __handle_mm_fault handle_userfault
   faultin_page do_mem_abort do_translation_fault el0_da el0_ia el1_abort`,
);

/**
 * Kernel functions of Linux 5.4 to 6.18 on x86_64 and aarch64 that show the reason of a wait. The innermost function of
 * a stack that is in this table decides.
 */
export const REASON_TABLE: readonly ReasonRow[] = [
  row('sleep', 'a time to pass', 'do_nanosleep hrtimer_nanosleep*'),
  row('sleep', 'a timer', 'timerfd_read*'),
  row(
    'lock',
    'a futex',
    'futex_wait* __futex_wait* futex_do_wait futex_lock_pi* __futex_lock_pi* futex_wait_requeue_pi',
  ),
  row(
    'lock',
    'a lock of the kernel',
    `mutex_lock* __mutex_lock* __rt_mutex_* rt_mutex_* rtlock_* rwsem_down_* down_read* down_write* __down_* down down_*
     percpu_rwsem_wait percpu_down_* __percpu_down_*`,
  ),
  row(
    'lock',
    'a lock of a file',
    `flock_lock_inode_wait posix_lock_inode_wait locks_lock_inode_wait do_lock_file_wait fcntl_setlk* __break_lease`,
  ),
  row('lock', 'a semaphore', 'do_semtimedop __do_semtimedop'),
  row(
    'disk',
    'blocks to be read or written',
    `io_schedule* bit_wait_io* folio_wait_* folio_lock* __folio_lock* wait_on_page_* __lock_page* wait_on_buffer
     __wait_on_buffer submit_bio_wait blk_mq_get_tag blk_execute_rq* blk_io_schedule blkdev_issue_* rq_qos_wait
     wbt_wait __iomap_dio_rw iomap_dio_rw __blkdev_direct_IO* blkdev_direct_IO do_blockdev_direct_IO`,
  ),
  row(
    'disk',
    'dirty pages to be written',
    `balance_dirty_pages* filemap_fdatawait* __filemap_fdatawait* file_write_and_wait* wb_wait_for_completion
     writeback_inodes_sb* sync_inodes_sb`,
  ),
  row(
    'disk',
    'a journal',
    `jbd2_* __jbd2_* wait_transaction_* start_this_handle xlog_* xfs_log_* __xfs_log_* xfs_buf_iowait
     btrfs_wait_* btrfs_commit_transaction* wait_current_trans f2fs_wait_* f2fs_issue_flush`,
  ),
  row('disk', 'asynchronous requests', 'read_events do_io_getevents exit_aio'),
  row('disk', 'a file system of user space', 'request_wait_answer fuse_simple_request p9_client_rpc'),
  row(
    'network',
    'a connection',
    `inet_csk_accept inet_csk_wait_for_connect inet_wait_for_connect __inet_stream_connect inet_stream_connect
     unix_accept unix_stream_connect unix_wait_for_peer`,
  ),
  row(
    'network',
    'data',
    `sk_wait_data tcp_recvmsg* unix_stream_read_generic unix_stream_data_wait __skb_wait_for_more_packets
     __skb_recv_* skb_recv_* udp_recvmsg udpv6_recvmsg raw_recvmsg netlink_recvmsg packet_recvmsg sock_recvmsg`,
  ),
  row(
    'network',
    'room to send',
    `sk_stream_wait_* sock_wait_for_wmem sock_alloc_send_* tcp_sendmsg* unix_stream_sendmsg unix_dgram_sendmsg
     udp_sendmsg sock_sendmsg __lock_sock lock_sock_nested`,
  ),
  row(
    'network',
    'a file server',
    'rpc_wait_* __rpc_wait_* __rpc_execute nfs_wait_* wait_for_response ceph_mdsc_*',
  ),
  row(
    'pipe',
    'a pipe or FIFO',
    'pipe_read pipe_write anon_pipe_read anon_pipe_write pipe_wait* wait_for_partner splice_from_pipe*',
  ),
  row('pipe', 'a terminal', 'n_tty_read n_tty_write tty_read tty_write tty_wait_until_sent'),
  row('pipe', 'an eventfd', 'eventfd_read eventfd_write'),
  row('pipe', 'a message', 'do_msgrcv do_msgsnd wq_sleep* do_mq_timedreceive do_mq_timedsend'),
  row(
    'poll',
    'one of several files',
    `ep_poll do_epoll_wait do_epoll_pwait* do_sys_poll do_poll* do_select core_sys_select poll_schedule_timeout*
     io_cqring_wait*`,
  ),
  row(
    'poll',
    'events',
    'inotify_read fanotify_read signalfd_read* signalfd_dequeue userfaultfd_read* userfaultfd_ctx_read',
  ),
  row('child', 'a process to end', 'do_wait __do_wait do_wait_pid kernel_wait4 kernel_waitid*'),
  row('child', 'a process to run its program', 'wait_for_vfork_done kernel_clone _do_fork'),
  row(
    'stopped',
    'a signal to go on',
    'do_signal_stop ptrace_stop do_jobctl_trap do_freezer_trap __refrigerator cgroup_enter_frozen',
  ),
];

/** Suffixes that the compiler adds to the names of cloned functions, such as `.isra.0`. */
const CLONE = /\.\w+(?:\.\d+)*$/;

const reasonOf = lookup([PAGE_FAULT, ...REASON_TABLE]);

/**
 * Finds the reason of a function by its name or by the longest matching prefix in the table. Each name is looked up
 * once.
 */
function lookup(rows: readonly ReasonRow[]): (name: string) => Reason | undefined {
  const all = rows.flatMap(({ reason, functions }) => functions.map((name) => ({ reason, name })));
  const exact = new Map(all.map(({ reason, name }) => [name, reason]));
  const beginnings = all
    .filter(({ name }) => name.endsWith('*'))
    .map(({ reason, name }) => ({ reason, start: name.slice(0, -1) }))
    .sort((a, b) => b.start.length - a.start.length);
  const find = (name: string) =>
    exact.get(name) ?? beginnings.find(({ start }) => name.startsWith(start))?.reason;
  const found = new Map<string, Reason | undefined>();
  return (name) => {
    if (!found.has(name)) found.set(name, find(name.replace(CLONE, '')));
    return found.get(name);
  };
}

/** Why a thread waited. */
export interface WhyWaited {
  readonly reason: Reason;
  /** For `other`: the kernel function that waited, if the stack is known. */
  readonly undecided?: string | undefined;
}

/**
 * Why a thread waited.
 *
 * @param state the letter of ps at switch-out
 * @param kernel functions of the kernel stack, leaf first; null for those without a name
 */
export function whyWaited(state: string, kernel: readonly (string | null)[]): WhyWaited {
  const byState = BY_STATE[state];
  if (byState) return { reason: byState };
  let innermost: Reason | undefined;
  for (const name of kernel) {
    const reason = name === null ? undefined : reasonOf(name);
    if (reason === 'page_fault') return { reason };
    innermost ??= reason;
  }
  return innermost
    ? { reason: innermost }
    : { reason: 'other', undecided: waitSite(kernel)?.replace(CLONE, '') };
}
