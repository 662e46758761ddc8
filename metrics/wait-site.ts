/**
 * Kernel functions through which every wait goes, whatever it waits for: the scheduler's own. The names are
 * those of kernel/sched and of the generic sleeping helpers.
 */
const PLUMBING =
  /^(?:__schedule|schedule(?:_\w+)?|io_schedule(?:_\w+)?|preempt_schedule(?:_\w+)?|__cond_resched|__traceiter_\w+|bpf_\w+|irqentry_exit\w*|raw_irqentry_exit\w*|exit_to_user_mode_\w+|asm_\w+|syscall_exit_to_user_mode\w*)(?:\.\w+)*$/;

/**
 * The kernel function that a wait is about: the leaf-most that is not the scheduler's own plumbing, such as
 * `futex_wait_queue` or `do_nanosleep`.
 *
 * @param symbols kernel functions, leaf first
 * @returns undefined when there is none, as for a thread that lost its CPU on the way back to user code
 */
export function waitSite(symbols: readonly (string | null)[]): string | undefined {
  return symbols.find((symbol): symbol is string => symbol !== null && !PLUMBING.test(symbol));
}
