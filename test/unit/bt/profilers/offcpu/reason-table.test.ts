import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { PAGE_FAULT, REASON_TABLE, whyWaited } from '../../../../../bt/profilers/offcpu/reason-table.ts';
import { REASONS, type Reason } from '../../../../../metrics/reasons.ts';
import { KINDS } from '../../../../kinds-of-waits.ts';

interface Wait {
  readonly state: string;
  readonly kernel: readonly (string | null)[];
}
interface Recorded {
  readonly kernel: string;
  readonly waits: Readonly<Record<string, Wait>>;
}

/** The recordings that `npm run record:waits` made of fixtures/workloads/waits.c, one file per kernel. */
const RECORDED = readdirSync('fixtures/waits').map(
  (file) => JSON.parse(readFileSync(`fixtures/waits/${file}`, 'utf8')) as Recorded,
);

/**
 * Stacks of kernels and file systems that were not available, derived from their sources: leaf first, from the function that
 * sleeps up to the system call.
 */
const FROM_SOURCES: readonly (readonly [Reason, string, string])[] = [
  ['sleep', '5.4', 'schedule do_nanosleep hrtimer_nanosleep __x64_sys_nanosleep'],
  ['sleep', '5.4, aarch64', '__schedule schedule do_nanosleep hrtimer_nanosleep __arm64_sys_clock_nanosleep'],
  ['lock', '5.4', 'schedule futex_wait_queue_me futex_wait do_futex __x64_sys_futex'],
  ['lock', '5.16', 'schedule futex_wait_queue futex_wait do_futex __x64_sys_futex'],
  ['lock', '5.4', 'schedule_preempt_disabled __mutex_lock.isra.0 __mutex_lock_slowpath mutex_lock pipe_read'],
  ['lock', '5.4', 'schedule rwsem_down_read_slowpath down_read do_madvise'],
  ['lock', '5.10', 'schedule percpu_rwsem_wait __percpu_down_read cgroup_can_fork copy_process kernel_clone'],
  ['lock', '5.4', 'schedule schedule_timeout __down_common __down down xfs_buf_lock'],
  ['lock', '5.4', 'schedule do_semtimedop __x64_sys_semtimedop'],
  [
    'disk',
    '5.4',
    'io_schedule wait_on_page_bit generic_file_buffered_read ext4_file_read_iter new_sync_read',
  ],
  [
    'disk',
    '5.15',
    'schedule jbd2_log_wait_commit jbd2_complete_transaction ext4_fsync_journal ext4_sync_file',
  ],
  [
    'disk',
    '5.15',
    'schedule wait_transaction_locked add_transaction_credits start_this_handle ext4_dirty_inode',
  ],
  ['disk', '6.1', 'schedule xlog_wait_on_iclog xfs_log_force_seq xfs_file_fsync __x64_sys_fsync'],
  [
    'disk',
    '6.1',
    'schedule wb_wait_for_completion sync_inodes_sb sync_inodes_one_sb iterate_supers ksys_sync',
  ],
  ['disk', '6.1', 'schedule request_wait_answer fuse_simple_request fuse_send_read fuse_file_read_iter'],
  ['disk', '5.4', 'schedule p9_virtio_request p9_client_rpc p9_client_read v9fs_file_read_iter'],
  ['network', '5.4', 'schedule schedule_timeout inet_csk_accept inet_accept __sys_accept4'],
  ['network', '6.1', 'schedule rpc_wait_bit_killable __wait_on_bit out_of_line_wait_on_bit __rpc_execute'],
  ['network', '5.4', 'schedule __lock_sock lock_sock_nested tcp_sendmsg sock_sendmsg'],
  ['pipe', '5.4', 'schedule pipe_wait pipe_read new_sync_read vfs_read'],
  ['pipe', '5.10', 'schedule pipe_wait_readable pipe_read new_sync_read vfs_read'],
  ['pipe', '6.1', 'schedule pipe_write vfs_write ksys_write'],
  ['poll', '5.4', 'schedule schedule_hrtimeout_range_clock ep_poll do_epoll_wait __x64_sys_epoll_wait'],
  ['poll', '6.1', 'schedule io_cqring_wait __do_sys_io_uring_enter'],
  ['child', '5.4', 'schedule do_wait kernel_wait4 __do_sys_wait4'],
  ['child', '5.4', 'schedule wait_for_completion_killable _do_fork __x64_sys_vfork'],
  [
    'page_fault',
    '5.4',
    'io_schedule __lock_page_killable filemap_fault __do_fault handle_mm_fault do_page_fault',
  ],
  [
    'page_fault',
    '6.1, aarch64',
    'io_schedule folio_wait_bit_common filemap_fault do_page_fault do_mem_abort el0_da',
  ],
  [
    'page_fault',
    '6.6',
    'rwsem_down_read_slowpath down_read lock_mm_and_find_vma do_user_addr_fault exc_page_fault',
  ],
  ['stopped', '6.1', 'schedule do_freezer_trap get_signal exit_to_user_mode_loop'],
];

describe.each(RECORDED)('on Linux $kernel', ({ waits }) => {
  test('every kind of wait was recorded and has a reason', () => {
    expect(Object.keys(waits).sort()).toEqual(Object.values(KINDS).flat().sort());
  });

  test.each(Object.entries(KINDS).flatMap(([reason, kinds]) => kinds.map((kind) => [kind, reason] as const)))(
    '%s is a wait for %s',
    (kind, reason) => {
      const { state, kernel } = waits[kind] as Wait;
      expect(whyWaited(state, kernel).reason).toBe(reason);
    },
  );

  test.each([
    ['sigwait', 'do_sigtimedwait'],
    ['pause', '__do_sys_pause'],
  ])('%s has no known reason, and its function is %s', (kind, site) => {
    const { state, kernel } = waits[kind] as Wait;
    expect(whyWaited(state, kernel)).toEqual({ reason: 'other', undecided: site });
  });
});

test.each(FROM_SOURCES)('%s on Linux %s: %s', (reason, _, stack) => {
  expect(whyWaited('S', stack.split(' '))).toEqual({ reason });
});

test('every row of the table has an example here, and no function is in two rows', () => {
  const stacks = [
    ...RECORDED.flatMap(({ waits }) => Object.values(waits).map(({ kernel }) => kernel)),
    ...FROM_SOURCES.map(([, , stack]) => stack.split(' ')),
  ];
  const seen = new Set(stacks.flat().map((name) => name?.replace(/\..*/, '')));
  const isSeen = (name: string) =>
    name.endsWith('*') ? [...seen].some((s) => s?.startsWith(name.slice(0, -1))) : seen.has(name);
  const rows = [...REASON_TABLE, PAGE_FAULT];
  expect(rows.filter(({ functions }) => !functions.some(isSeen)).map(({ what }) => what)).toEqual([]);
  const names = rows.flatMap(({ functions }) => functions);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});

test('every reason except other is in the table or follows from the state', () => {
  const tabled = new Set([...REASON_TABLE, PAGE_FAULT].map(({ reason }) => reason));
  expect(REASONS.filter((reason) => !tabled.has(reason))).toEqual(['preempted', 'other']);
});

test.each([
  ['R', 'preempted'],
  ['T', 'stopped'],
  ['t', 'stopped'],
  ['S', 'other'],
  ['D', 'other'],
  ['?', 'other'],
])('without a stack, the state %s means %s', (state, reason) => {
  expect(whyWaited(state, [])).toEqual({ reason });
});

test('the innermost known function decides', () => {
  expect(whyWaited('D', ['mutex_lock', 'pipe_read', 'do_wait']).reason).toBe('lock');
  expect(whyWaited('S', [null, 'schedule', null, 'pipe_read', 'do_wait']).reason).toBe('pipe');
});

test('the state takes precedence over the stack, and a page fault over other functions', () => {
  expect(whyWaited('R', ['io_schedule', 'exc_page_fault']).reason).toBe('preempted');
  expect(whyWaited('D', ['io_schedule', 'exc_page_fault', 'ksys_read']).reason).toBe('page_fault');
});
