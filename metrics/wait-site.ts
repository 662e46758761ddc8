/** Functions of the scheduler, which are part of every wait: those of kernel/sched and the generic sleep helpers. */
const PLUMBING =
  /^(?:__schedule|schedule(?:_\w+)?|io_schedule(?:_\w+)?|preempt_schedule(?:_\w+)?|__cond_resched|__traceiter_\w+|bpf_\w+|irqentry_exit\w*|raw_irqentry_exit\w*|exit_to_user_mode_\w+|asm_\w+|syscall_exit_to_user_mode\w*)(?:\.\w+)*$/;

/**
 * Finds the kernel function that explains a wait: the innermost one that is not part of the scheduler, such as
 * `futex_wait_queue` or `do_nanosleep`.
 *
 * @param symbols kernel functions, leaf first
 * @returns undefined when there is none, as for a thread that lost its CPU on the way back to user code
 */
export function waitSite(symbols: readonly (string | null)[]): string | undefined {
  return symbols.find((symbol): symbol is string => symbol !== null && !PLUMBING.test(symbol));
}
