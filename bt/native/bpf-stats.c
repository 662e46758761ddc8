/* Has the kernel time its BPF programs until standard input has a byte, and again from the next one on. Whoever holds the
 * other end may die in any way: the kernel stops with us, unless another one asked for it too. Says "on" each time, or ends
 * with the error as its status. */
#include "runtime.h"
#include <linux/bpf.h>
#include <linux/prctl.h>

static void wait_for_byte(void) {
  char byte;
  if (SYSCALL(read, 0, &byte, 1) <= 0) quit(0);
}

__attribute__((noreturn, used)) void start(long *stack) {
  (void)stack;
  SYSCALL(prctl, PR_SET_NAME, "btprof-bpf-stats");
  for (;;) {
    unsigned attributes = BPF_STATS_RUN_TIME;
    long held = check(SYSCALL(bpf, BPF_ENABLE_STATS, &attributes, sizeof attributes));
    check(SYSCALL(write, 1, "on\n", 3));
    wait_for_byte();
    SYSCALL(close, held);
    wait_for_byte();
  }
}
