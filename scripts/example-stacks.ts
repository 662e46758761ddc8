import type { FlameStack } from '../cli/formats/flamegraph/flame-stack.ts';
import type { StackFrame } from '../metrics/timed-stacks.ts';

/**
 * 30 s of an invented service that processes orders, for the screenshots in docs/flamegraph.md. Columns: thread, kind, time in
 * ms, earlier time in ms, count, user frames, kernel frames. A star marks idle waits.
 */
const ROWS = `
main:0       poll*      29400 29200   310 _start;main;Server::run;EventLoop::poll;epoll_wait EPOLL
http-1:1     poll*       9100  4200  2203 thread_start;Worker::run;Worker::next;TaskQueue::pop;pthread_cond_wait FUTEX
http-1:1     network     4820  4790  1009 thread_start;Worker::run;Router::dispatch;OrdersHandler::get;Database::query;PQexec;PQgetResult;pqReadData;recv RECV
http-1:1     lock        3900  9800   811 thread_start;Worker::run;Router::dispatch;OrdersHandler::post;Inventory::reserve;std::mutex::lock;pthread_mutex_lock FUTEX
http-1:1     network     2210  2300   811 thread_start;Worker::run;Router::dispatch;OrdersHandler::post;Database::query;PQexec;PQgetResult;pqReadData;recv RECV
http-1:1     on_cpu      2400  2350   240 thread_start;Worker::run;Router::dispatch;OrdersHandler::get;Json::write;Json::escape -
http-1:1     on_cpu      1130  1100   113 thread_start;Worker::run;Router::dispatch;OrdersHandler::post;Order::validate;Price::compute -
http-1:1     on_cpu       540   500    54 thread_start;Worker::run;Router::dispatch;OrdersHandler::get;Database::query;PQexec;PQgetResult;pqParseInput3;getAnotherTuple -
http-1:1     preempted    310   290   421 thread_start;Worker::run;Router::dispatch;OrdersHandler::get;Json::write PREEMPT
http-1:1     page_fault   190   180    97 thread_start;Worker::run;Router::dispatch;OrdersHandler::get;Json::write;Buffer::grow;realloc FAULT
http-2:2     poll*       8700  4100  2113 thread_start;Worker::run;Worker::next;TaskQueue::pop;pthread_cond_wait FUTEX
http-2:2     network     4410  4480   953 thread_start;Worker::run;Router::dispatch;OrdersHandler::get;Database::query;PQexec;PQgetResult;pqReadData;recv RECV
http-2:2     lock        4300 10100   839 thread_start;Worker::run;Router::dispatch;OrdersHandler::post;Inventory::reserve;std::mutex::lock;pthread_mutex_lock FUTEX
http-2:2     network     2350  2200   839 thread_start;Worker::run;Router::dispatch;OrdersHandler::post;Database::query;PQexec;PQgetResult;pqReadData;recv RECV
http-2:2     on_cpu      2250  2300   225 thread_start;Worker::run;Router::dispatch;OrdersHandler::get;Json::write;Json::escape -
http-2:2     on_cpu      1010  1000   101 thread_start;Worker::run;Router::dispatch;OrdersHandler::post;Order::validate;Price::compute -
http-2:2     disk         640   610    43 thread_start;Worker::run;Router::dispatch;InvoiceHandler::get;Template::load;read_file;read READ
http-2:2     on_cpu       820   800    82 thread_start;Worker::run;Router::dispatch;InvoiceHandler::get;Template::render;Template::expand -
db-writer:3  disk        9700  6100   499 thread_start;Journal::run;Journal::commit;File::sync;fsync FSYNC
db-writer:3  disk        2300  2250   499 thread_start;Journal::run;Journal::commit;File::write;pwrite64 WRITE
db-writer:3  lock        1700  5200   211 thread_start;Journal::run;Journal::commit;Inventory::snapshot;std::mutex::lock;pthread_mutex_lock FUTEX
db-writer:3  poll*      12900 13100   499 thread_start;Journal::run;Journal::wait;pthread_cond_timedwait FUTEX
db-writer:3  on_cpu      1240  1200   124 thread_start;Journal::run;Journal::commit;Checksum::crc32c -
db-writer:3  on_cpu       480   470    48 thread_start;Journal::run;Journal::compact;LZ4_compress_fast -
mailer:4     network     7400  7100   127 thread_start;Mailer::run;Smtp::send;Smtp::expect;SSL_read;ssl3_read_bytes;BIO_read;sock_read;read RECV
mailer:4     sleep      19600 20100    29 thread_start;Mailer::run;Mailer::backoff;std::this_thread::sleep_for;nanosleep SLEEP
mailer:4     pipe        1800  1750    31 thread_start;Mailer::run;Pdf::convert;Process::output;read PIPE
mailer:4     child        900   920    31 thread_start;Mailer::run;Pdf::convert;Process::wait;waitpid CHILD
metrics:5    sleep*     29100 29150    30 thread_start;Metrics::run;std::this_thread::sleep_until;clock_nanosleep SLEEP
metrics:5    on_cpu       330   320    33 thread_start;Metrics::run;Metrics::scrape;Histogram::write -
main:0       on_cpu       210   200     0
main:0       unaccounted  260   240     0
`;

const SYSCALL = 'entry_SYSCALL_64_after_hwframe do_syscall_64';
const KERNEL: Readonly<Record<string, string>> = {
  EPOLL: `${SYSCALL} __x64_sys_epoll_wait do_epoll_wait ep_poll schedule_hrtimeout_range schedule __schedule`,
  FUTEX: `${SYSCALL} __x64_sys_futex do_futex futex_wait __futex_wait futex_wait_queue schedule __schedule`,
  RECV: `${SYSCALL} __x64_sys_recvfrom inet_recvmsg tcp_recvmsg tcp_recvmsg_locked sk_wait_data wait_woken schedule_timeout schedule __schedule`,
  READ: `${SYSCALL} __x64_sys_read vfs_read ext4_file_read_iter filemap_read filemap_get_pages folio_wait_bit_common io_schedule schedule __schedule`,
  WRITE: `${SYSCALL} __x64_sys_pwrite64 vfs_write ext4_buffered_write_iter balance_dirty_pages io_schedule_timeout schedule_timeout schedule __schedule`,
  FSYNC: `${SYSCALL} __x64_sys_fsync do_fsync ext4_sync_file ext4_fc_commit jbd2_log_wait_commit schedule __schedule`,
  SLEEP: `${SYSCALL} __x64_sys_clock_nanosleep common_nsleep hrtimer_nanosleep do_nanosleep schedule __schedule`,
  PIPE: `${SYSCALL} __x64_sys_read vfs_read pipe_read schedule __schedule`,
  CHILD: `${SYSCALL} __x64_sys_wait4 kernel_wait4 do_wait schedule __schedule`,
  FAULT:
    'asm_exc_page_fault exc_page_fault do_user_addr_fault handle_mm_fault folio_wait_bit_common schedule __schedule',
  PREEMPT: 'asm_sysvec_apic_timer_interrupt irqentry_exit_to_user_mode schedule __schedule',
};

/** @param compares whether each stack also has its earlier time */
export function exampleStacks(compares = false): FlameStack[] {
  return ROWS.trim()
    .split('\n')
    .map((line) => stackOf(line.split(/\s+/), compares));
}

function stackOf(cells: readonly string[], compares: boolean): FlameStack {
  const [thread = '', kind = '', ms, beforeMs, count, user = '', kernel = ''] = cells;
  const [comm = '', at] = thread.split(':');
  return {
    ...{ pid: 2711, tid: 2711 + Number(at), comm, kind: kind.replace('*', '') },
    ...{ idle: kind.endsWith('*'), open: false, timeNs: Number(ms) * 1e6, count: Number(count) },
    ...(compares ? { beforeNs: Number(beforeMs) * 1e6 } : {}),
    frames: [
      ...user.split(';').flatMap((name) => (name ? [frameOf(name, moduleOf(name))] : [])),
      ...(KERNEL[kernel]?.split(' ') ?? []).map((name) => frameOf(name, '[kernel]')),
    ],
  };
}

function moduleOf(name: string): string {
  if (/^PQ|^pq|^getAnother/.test(name)) return '/usr/lib/x86_64-linux-gnu/libpq.so.5';
  if (/^SSL|^ssl|^BIO|^sock_/.test(name)) return '/usr/lib/x86_64-linux-gnu/libssl.so.3';
  return /^[a-z0-9_]+$/.test(name) && name !== 'main'
    ? '/usr/lib/x86_64-linux-gnu/libc.so.6'
    : '/opt/orders/bin/orders';
}

function frameOf(symbol: string, module: string): StackFrame {
  return {
    frame: { address: '0x1000', symbol, module, offset: 0 },
    ...{ kind: module === '[kernel]' ? 'kernel' : 'user', mapping: undefined },
  };
}
