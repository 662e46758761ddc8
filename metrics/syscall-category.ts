/**
 * Which of denet's ten categories each 64-bit system call belongs to.
 *
 * The rule: strace's classes (`strace -e trace=%class`), as of strace 7.2. A call in several classes goes to the first
 * of %network, %ipc, %memory, %signal, %process, %clock (time), %creds (security); then %file and %desc are file_io.
 * futex, pipes and eventfd are ipc; io_uring and POSIX message queues are file_io. A call in no class goes by what it
 * is about: process attributes and scheduling, timers and sleeps, keys and confinement, or the machine (system). Calls
 * go by their name: a `read` of a socket is file_io, because the kernel's entry point does not show the kind of file.
 */
const CALLS = {
  file_io: `
    access acct bpf cachestat chdir chmod chown chroot close close_range copy_file_range creat dup dup2
    dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
    epoll_wait_old faccessat faccessat2 fadvise64 fallocate fanotify_init fanotify_mark fchdir fchmod
    fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr file_getattr file_setattr finit_module
    flistxattr flock fremovexattr fsconfig fsetxattr fsmount fsopen fspick fstat fstatfs fsync ftruncate
    futimesat getcwd getdents getdents64 getxattr getxattrat inotify_add_watch inotify_init
    inotify_init1 inotify_rm_watch io_cancel io_getevents io_pgetevents io_submit io_uring_enter
    io_uring_register io_uring_setup ioctl kexec_file_load landlock_add_rule landlock_create_ruleset
    landlock_restrict_self lchown lgetxattr link linkat listmount listxattr listxattrat llistxattr
    lookup_dcookie lremovexattr lseek lsetxattr lstat memfd_create memfd_secret mkdir mkdirat mknod
    mknodat mount mount_setattr move_mount mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink
    name_to_handle_at newfstatat open open_by_handle_at open_tree open_tree_attr openat openat2
    perf_event_open pidfd_getfd pidfd_open pivot_root poll ppoll pread64 preadv preadv2 process_madvise
    process_mrelease pselect6 pwrite64 pwritev pwritev2 quotactl quotactl_fd read readahead readlink
    readlinkat readv removexattr removexattrat rename renameat renameat2 rmdir select setns setxattr
    setxattrat splice stat statfs statmount statx swapoff swapon symlink symlinkat sync sync_file_range
    syncfs tee timerfd_create timerfd_gettime timerfd_settime truncate umask umount2 unlink unlinkat
    uselib userfaultfd ustat utime utimensat utimes vmsplice write writev`,
  memory: `
    brk get_mempolicy io_destroy io_setup madvise map_shadow_stack mbind membarrier
    migrate_pages mincore mlock mlock2 mlockall mmap move_pages mprotect mremap mseal msync munlock
    munlockall munmap pkey_alloc pkey_free pkey_mprotect process_vm_readv process_vm_writev
    remap_file_pages set_mempolicy set_mempolicy_home_node`,
  process: `
    arch_prctl clone clone3 execve execveat exit exit_group fork get_robust_list get_thread_area getcpu
    getpgid getpgrp getpid getppid getpriority getrlimit getrusage getsid gettid ioprio_get ioprio_set
    kcmp listns personality prlimit64 ptrace rseq rseq_slice_yield sched_get_priority_max
    sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
    sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield
    set_robust_list set_thread_area set_tid_address setpgid setpriority setrlimit setsid times unshare
    vfork wait4 waitid`,
  network: `
    accept accept4 bind connect getpeername getpmsg getsockname getsockopt listen putpmsg recvfrom
    recvmmsg recvmsg sendfile sendmmsg sendmsg sendto setsockopt shutdown socket socketpair`,
  time: `
    adjtimex alarm clock_adjtime clock_getres clock_gettime clock_nanosleep clock_settime getitimer
    gettimeofday nanosleep setitimer settimeofday time timer_create timer_delete timer_getoverrun
    timer_gettime timer_settime`,
  ipc: `
    eventfd eventfd2 futex futex_requeue futex_wait futex_waitv futex_wake msgctl msgget
    msgrcv msgsnd pipe pipe2 semctl semget semop semtimedop shmat shmctl shmdt shmget`,
  security: `
    add_key capget capset getegid geteuid getgid getgroups getrandom getresgid getresuid getuid keyctl
    lsm_get_self_attr lsm_list_modules lsm_set_self_attr prctl request_key seccomp setfsgid setfsuid
    setgid setgroups setregid setresgid setresuid setreuid setuid`,
  signal: `
    kill pause pidfd_send_signal rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
    rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sigaltstack signalfd signalfd4 tgkill tkill`,
  system: `
    _sysctl create_module delete_module get_kernel_syms init_module ioperm iopl kexec_load modify_ldt
    nfsservctl query_module reboot setdomainname sethostname sysfs sysinfo syslog uname uprobe uretprobe
    vhangup`,
  other: `
    afs_syscall restart_syscall security tuxcall vserver`,
} as const;

export type SyscallCategory = keyof typeof CALLS;

export const CATEGORIES = Object.keys(CALLS) as SyscallCategory[];

/** All names with their categories. The tests check that no name occurs twice. */
export const CATEGORY_ROWS: readonly (readonly [string, SyscallCategory])[] = CATEGORIES.flatMap((category) =>
  CALLS[category]
    .trim()
    .split(/\s+/)
    .map((name) => [name, category] as const),
);

const BY_NAME: ReadonlyMap<string, SyscallCategory> = new Map(CATEGORY_ROWS);

/** The category of a call's name; `other` for a name that is newer than the table. */
export function categoryOf(name: string): SyscallCategory {
  return BY_NAME.get(name) ?? 'other';
}
