/* The programs of `btprof demo`: each waits in one way, for some two seconds. The program's own name says which one, and
 * those that write a file take its name:
 *
 *   gcc -O1 -fno-omit-frame-pointer -static -nostdlib -ffreestanding -o slow-disk cli/demo/demo.c && ./slow-disk scratch
 */
#include "threads.h"
#include <linux/eventpoll.h>
#include <linux/fadvise.h>

enum { DURATION_MS = 2000, PAGE = 4096 };

/* lock-convoy: four threads add to one total until it is large enough, and hold its lock for as long as they compute. */

static int total_lock;
static long total;

NOINLINE long add_to_total(void) {
  lock(&total_lock);
  compute(4);
  long sum = ++total;
  unlock(&total_lock);
  return sum;
}

NOINLINE void convoy_worker(long unused) {
  (void)unused;
  while (add_to_total() < 400) {}
}

NOINLINE void lock_convoy(void) {
  struct thread others[3];
  for (int i = 0; i < 3; i++) start_thread(&others[i], convoy_worker, 0);
  convoy_worker(0);
  for (int i = 0; i < 3; i++) join(&others[i]);
}

/* slow-disk: each record is on the disk before the next one is written. */

static char block[PAGE];

static const char *scratch;

/* A new file, whose name is free again at once. */
static long open_scratch(void) {
  long file = check(SYSCALL(openat, AT_FDCWD, scratch, O_CREAT | O_EXCL | O_RDWR, 0600));
  check(SYSCALL(unlinkat, AT_FDCWD, scratch, 0));
  return file;
}

NOINLINE void commit_record(long file) {
  check(SYSCALL(pwrite64, file, block, PAGE, 0));
  check(SYSCALL(fsync, file));
}

NOINLINE void slow_disk(void) {
  long file = open_scratch();
  for (long end = now_ms() + DURATION_MS; now_ms() < end;) commit_record(file);
}

/* sleepy-loop: looks every 20 ms whether there is work, and there is little. */

NOINLINE void poll_for_work(void) { sleep_ms(20); }

NOINLINE void sleepy_loop(void) {
  for (int i = 0; i < 100; i++) {
    poll_for_work();
    compute(1);
  }
}

/* chatty-syscalls: reads a file byte by byte, and starts again at its end. */

NOINLINE long read_byte(long file) {
  char byte;
  return check(SYSCALL(read, file, &byte, 1));
}

NOINLINE void chatty_syscalls(void) {
  long file = check(SYSCALL(openat, AT_FDCWD, "/proc/self/exe", O_RDONLY));
  for (long end = now_ms() + DURATION_MS; now_ms() < end;)
    for (int i = 0; i < 1000; i++)
      if (read_byte(file) == 0) check(SYSCALL(lseek, file, 0, 0));
}

/* cpu-starvation: four threads for each CPU that compute, each 400 million steps. */

NOINLINE void crunch(long unused) {
  (void)unused;
  compute(400);
}

NOINLINE int cpus(void) {
  unsigned long mask[128];
  long bytes = check(SYSCALL(sched_getaffinity, 0, sizeof mask, mask));
  int count = 0;
  for (long word = 0; word < bytes / 8; word++)
    for (unsigned long rest = mask[word]; rest; rest &= rest - 1) count++;
  return count;
}

NOINLINE void cpu_starvation(void) {
  enum { MOST = 1024 };
  static struct thread others[MOST];
  int count = 4 * cpus() - 1;
  if (count > MOST) count = MOST;
  for (int i = 0; i < count; i++) start_thread(&others[i], crunch, 0);
  crunch(0);
  for (int i = 0; i < count; i++) join(&others[i]);
}

/* idle-server: four threads wait for connections that nobody makes; the first one looks at the clock in between. */

NOINLINE void wait_for_connections(long epoll, int timeout_ms) {
  struct epoll_event event;
  check(SYSCALL(epoll_pwait, epoll, &event, 1, timeout_ms, 0));
}

NOINLINE void serve(long epoll) {
  for (;;) wait_for_connections(epoll, -1);
}

NOINLINE void idle_server(void) {
  short address[1] = {1 /* AF_UNIX: any free name */};
  long listener = check(SYSCALL(socket, 1, 1 /* SOCK_STREAM */, 0));
  check(SYSCALL(bind, listener, address, sizeof address));
  check(SYSCALL(listen, listener, 16));
  long epoll = check(SYSCALL(epoll_create1, 0));
  struct epoll_event readable = {.events = 1 /* EPOLLIN */};
  check(SYSCALL(epoll_ctl, epoll, 1 /* EPOLL_CTL_ADD */, listener, &readable));
  struct thread others[3];
  for (int i = 0; i < 3; i++) start_thread(&others[i], serve, epoll);
  for (long end = now_ms() + DURATION_MS; now_ms() < end;) wait_for_connections(epoll, 100);
  quit(0);
}

/* deadlock: two threads transfer in opposite directions, and each holds the lock that the other one wants. */

static int accounts[2];

NOINLINE void transfer(long from) {
  lock(&accounts[from]);
  do sleep_ms(20);
  while (!__atomic_load_n(&accounts[1 - from], __ATOMIC_RELAXED)); /* until the other thread has its lock */
  lock(&accounts[1 - from]);
}

NOINLINE void deadlock(void) {
  struct thread other;
  start_thread(&other, transfer, 1);
  transfer(0);
}

/* pipe-stall: a producer that is done at once, and a consumer that computes about each page. */

NOINLINE void produce(int pipe) {
  for (int page = 0; page < 1500; page++) check(SYSCALL(write, pipe, block, PAGE));
}

NOINLINE void consume(int pipe) {
  while (check(SYSCALL(read, pipe, block, PAGE)) > 0) compute(1);
}

NOINLINE void pipe_stall(void) {
  int ends[2];
  check(SYSCALL(pipe2, ends, 0));
  if (check(SYSCALL(clone, 17 /* SIGCHLD: a process of its own */)) == 0) {
    SYSCALL(close, ends[0]); /* so that it ends when nobody reads any more */
    produce(ends[1]);
    quit(0);
  }
  SYSCALL(close, ends[1]);
  consume(ends[0]);
  SYSCALL(wait4, -1, 0, 0, 0);
}

/* page-fault-storm: touches the pages of a file that memory does not hold, in no order. */

enum { PAGES = 1024 };

NOINLINE void touch_pages(const volatile char *pages) {
  IN_FRAME char byte;
  for (int i = 0; i < PAGES; i++) byte = pages[(i * 389L % PAGES) * PAGE];
  (void)byte;
}

NOINLINE void page_fault_storm(void) {
  /* On one CPU: fadvise waits for every other CPU that has pages of the file in its batch. */
  unsigned int cpu;
  check(SYSCALL(getcpu, &cpu, 0, 0));
  unsigned long mask[16] = {0};
  mask[cpu / 64 % 16] = 1UL << cpu % 64;
  check(SYSCALL(sched_setaffinity, 0, sizeof mask, mask));
  long file = open_scratch();
  for (int i = 0; i < PAGES; i++) check(SYSCALL(pwrite64, file, block, PAGE, (long)i * PAGE));
  check(SYSCALL(fsync, file));
  for (long end = now_ms() + DURATION_MS; now_ms() < end;) {
    check(SYSCALL(fadvise64, file, 0, 0, POSIX_FADV_DONTNEED));
    char *pages = (char *)check(SYSCALL(mmap, 0, PAGES * PAGE, PROT_READ, MAP_SHARED, file, 0));
    check(SYSCALL(madvise, pages, PAGES * PAGE, MADV_RANDOM));
    touch_pages(pages);
    check(SYSCALL(munmap, pages, PAGES * PAGE));
  }
}

static const struct {
  const char *name;
  void (*run)(void);
} PROGRAMS[] = {
    {"lock-convoy", lock_convoy},       {"slow-disk", slow_disk},     {"sleepy-loop", sleepy_loop},
    {"chatty-syscalls", chatty_syscalls}, {"cpu-starvation", cpu_starvation}, {"idle-server", idle_server},
    {"deadlock", deadlock},             {"pipe-stall", pipe_stall},   {"page-fault-storm", page_fault_storm},
};

static int ends_with(const char *text, const char *end) {
  const char *last = text, *wanted = end;
  while (*last) last++;
  while (*wanted) wanted++;
  while (last > text && wanted > end && last[-1] == wanted[-1]) last--, wanted--;
  return wanted == end;
}

NOINLINE int main(int argc, char **argv) {
  scratch = argc > 1 ? argv[1] : "";
  for (unsigned i = 0; argc > 0 && i < sizeof PROGRAMS / sizeof *PROGRAMS; i++)
    if (ends_with(argv[0], PROGRAMS[i].name)) return PROGRAMS[i].run(), 0;
  return 2;
}

/* Called with the stack as the kernel made it: the number of arguments, and the arguments. */
__attribute__((noreturn, used)) void start(long *stack) { quit(main((int)stack[0], (char **)(stack + 1))); }
