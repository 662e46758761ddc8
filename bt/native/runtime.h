/* What our own programs need of a C library, and no more: each is a static file of a few kilobytes that runs on every
 * Linux of its architecture. All functions have a frame pointer, so that stacks are whole. */
#include <asm/unistd.h>

#define INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)
INLINE long syscall6(long number, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "+a"(number)
                   : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return number;
}
__asm__(".text\n.globl _start\n.type _start, @function\n_start:\n"
        "  xor %ebp, %ebp\n"
        "  mov %rsp, %rdi\n"
        "  and $-16, %rsp\n"
        "  call start\n"
        ".size _start, . - _start\n");
#elif defined(__aarch64__)
INLINE long syscall6(long number, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c,
                x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;
  __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}
__asm__(".text\n.globl _start\n.type _start, %function\n_start:\n"
        "  mov x29, #0\n"
        "  mov x30, #0\n"
        "  mov x0, sp\n"
        "  bl start\n"
        ".size _start, . - _start\n");
#else
#error "our programs are for x86_64 and aarch64"
#endif

#define SYSCALL_(number, a, b, c, d, e, f, ...) \
  syscall6(__NR_##number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define SYSCALL(...) SYSCALL_(__VA_ARGS__, 0, 0, 0, 0, 0, 0)

INLINE __attribute__((noreturn)) void quit(int status) {
  for (;;) SYSCALL(exit_group, status);
}

/* What fails ends the program, with the number of the error as its status. */
INLINE long check(long result) {
  if (result < 0) quit((int)-result);
  return result;
}
