import { describe, expect, test } from 'vitest';
import { CATEGORIES, CATEGORY_ROWS, categoryOf } from '../../../metrics/syscall-category.ts';
import { SYSCALL_TABLE } from '../../../metrics/syscall-table.ts';

const CATEGORIZED = new Set(CATEGORY_ROWS.map(([name]) => name));

test("the categories are denet's ten", () => {
  expect([...CATEGORIES].sort()).toEqual([
    'file_io',
    'ipc',
    'memory',
    'network',
    'other',
    'process',
    'security',
    'signal',
    'system',
    'time',
  ]);
});

test('no call has two categories', () => {
  const names = CATEGORY_ROWS.map(([name]) => name);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});

test.each(['x86_64', 'aarch64'] as const)('every call of %s has a category', (arch) => {
  const names = Object.values(SYSCALL_TABLE[arch]);
  expect(names.filter((name) => !CATEGORIZED.has(name))).toEqual([]);
});

test('every call with a category is in a table', () => {
  const known = new Set<string>([
    ...Object.values(SYSCALL_TABLE.x86_64),
    ...Object.values(SYSCALL_TABLE.aarch64),
  ]);
  expect([...CATEGORIZED].filter((name) => !known.has(name))).toEqual([]);
});

/** Members of each class according to `strace -e trace=%class` (7.2) on x86_64. */
describe("strace's classes", () => {
  test.each([
    [
      '%network',
      'network',
      'socket connect accept4 bind sendto recvmsg sendmmsg getsockopt socketpair sendfile',
    ],
    ['%ipc', 'ipc', 'shmget shmat shmctl semget semop semtimedop msgget msgsnd msgrcv msgctl'],
    ['%memory', 'memory', 'mmap munmap mprotect brk mremap madvise mlock2 mincore io_setup mbind pkey_alloc'],
    [
      '%signal',
      'signal',
      'kill tgkill rt_sigaction rt_sigprocmask sigaltstack pause signalfd4 pidfd_send_signal',
    ],
    [
      '%process',
      'process',
      'fork vfork clone clone3 execve execveat exit exit_group wait4 waitid arch_prctl',
    ],
    ['%clock', 'time', 'clock_gettime clock_settime gettimeofday adjtimex clock_adjtime time settimeofday'],
    ['%creds', 'security', 'getuid setresgid capget capset setfsuid getgroups prctl'],
    ['%file', 'file_io', 'open openat openat2 stat newfstatat statx unlink rename mount chdir swapon'],
    [
      '%desc',
      'file_io',
      'read write close lseek epoll_wait poll pselect6 dup3 ioctl fcntl timerfd_create bpf',
    ],
  ])('%s is %s', (_, category, names) => {
    const members = names.split(' ');
    expect(members.map((name) => [name, categoryOf(name)])).toEqual(members.map((name) => [name, category]));
  });
});

describe('calls without a class in strace, or with a documented category', () => {
  test.each([
    ['futex', 'ipc'],
    ['futex_waitv', 'ipc'],
    ['pipe2', 'ipc'],
    ['eventfd2', 'ipc'],
    ['io_uring_enter', 'file_io'],
    ['io_submit', 'file_io'],
    ['mq_timedsend', 'file_io'],
    ['close_range', 'file_io'],
    ['clock_nanosleep', 'time'],
    ['nanosleep', 'time'],
    ['timer_create', 'time'],
    ['getpid', 'process'],
    ['sched_yield', 'process'],
    ['prlimit64', 'process'],
    ['keyctl', 'security'],
    ['seccomp', 'security'],
    ['uname', 'system'],
    ['reboot', 'system'],
    ['restart_syscall', 'other'],
  ])('%s is %s', (name, category) => {
    expect(categoryOf(name)).toBe(category);
  });
});

test.each(['syscall_999', 'skipped', '', 'READ', '__proto__', 'constructor'])('%j is other', (name) => {
  expect(categoryOf(name)).toBe('other');
});
