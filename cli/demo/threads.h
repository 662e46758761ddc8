/* Time, threads and locks of the demo programs. */
#include "../../bt/native/runtime.h"
#include <linux/fcntl.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/time_types.h>

/* Functions that stacks shall name. */
#define NOINLINE static __attribute__((noinline))
/* gcc leaves out the frame of a function that calls no other, unless it has a variable there. */
#define IN_FRAME volatile

INLINE long now_ms(void) {
  struct __kernel_timespec now;
  check(SYSCALL(clock_gettime, 1 /* CLOCK_MONOTONIC */, &now));
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

INLINE void sleep_ms(long ms) {
  struct __kernel_timespec time = {ms / 1000, ms % 1000 * 1000000};
  SYSCALL(clock_nanosleep, 1, 0, &time, 0);
}

/* Some milliseconds of the CPU, by the million steps. */
NOINLINE void compute(int millions) {
  IN_FRAME unsigned long x = 1;
  for (long step = 0; step < millions * 1000000L; step++)
    x = x * 6364136223846793005 + 1442695040888963407;
}

/* The new thread calls the function on its stack, with the argument above it, and ends. */
long clone(long flags, void *stack, int *tid);
#if defined(__x86_64__)
__asm__(".text\n.globl clone\n.type clone, @function\nclone:\n"
        "  mov %rdx, %r10\n"
        "  xor %edx, %edx\n"
        "  xor %r8d, %r8d\n"
        "  mov $56, %eax\n"
        "  syscall\n"
        "  test %eax, %eax\n"
        "  jnz 1f\n"
        "  xor %ebp, %ebp\n"
        "  pop %rax\n"
        "  pop %rdi\n"
        "  call *%rax\n"
        "  mov $60, %eax\n"
        "  xor %edi, %edi\n"
        "  syscall\n"
        "1: ret\n"
        ".size clone, . - clone\n");
#elif defined(__aarch64__)
__asm__(".text\n.globl clone\n.type clone, %function\nclone:\n"
        "  mov x4, x2\n"
        "  mov x2, #0\n"
        "  mov x3, #0\n"
        "  mov x8, #220\n"
        "  svc #0\n"
        "  cbnz x0, 1f\n"
        "  mov x29, #0\n"
        "  mov x30, #0\n"
        "  ldp x1, x0, [sp], #16\n"
        "  blr x1\n"
        "  mov x8, #93\n"
        "  mov x0, #0\n"
        "  svc #0\n"
        "1: ret\n"
        ".size clone, . - clone\n");
#endif

struct thread {
  int tid; /* 0 once it has ended */
};

INLINE void start_thread(struct thread *thread, void (*function)(long), long argument) {
  enum { STACK = 65536 };
  char *stack = (char *)check(SYSCALL(mmap, 0, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  long *top = (long *)(stack + STACK) - 2;
  top[0] = (long)function;
  top[1] = argument;
  thread->tid = 1;
  check(clone(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID, top,
              &thread->tid));
}

NOINLINE void join(struct thread *thread) {
  int tid;
  while ((tid = __atomic_load_n(&thread->tid, __ATOMIC_ACQUIRE)) != 0) SYSCALL(futex, &thread->tid, FUTEX_WAIT, tid, 0);
}

/* A mutex: 0 free, 1 taken, 2 taken and waited for. Whoever waits longer than five seconds ends the program. */
NOINLINE void lock(int *mutex) {
  struct __kernel_timespec five_seconds = {5, 0};
  int state = 0;
  if (__atomic_compare_exchange_n(mutex, &state, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
  while (__atomic_exchange_n(mutex, 2, __ATOMIC_ACQUIRE) != 0)
    if (SYSCALL(futex, mutex, FUTEX_WAIT_PRIVATE, 2, &five_seconds) == -110 /* ETIMEDOUT */) quit(0);
}

NOINLINE void unlock(int *mutex) {
  IN_FRAME int state = __atomic_exchange_n(mutex, 0, __ATOMIC_RELEASE);
  if (state == 2) SYSCALL(futex, mutex, FUTEX_WAKE_PRIVATE, 1);
}
