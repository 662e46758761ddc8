import { expect, test } from 'vitest';
import { waitSite } from '../../../metrics/wait-site.ts';

/** Kernel stacks recorded from waits of sleep, of a thread join, of a page fault, and of a preempted thread. */
test.each([
  ['do_nanosleep', ['__schedule', 'schedule', 'do_nanosleep', 'hrtimer_nanosleep', 'common_nsleep']],
  ['futex_do_wait', ['__schedule', 'schedule', 'futex_do_wait', '__futex_wait', 'futex_wait', 'do_futex']],
  [
    'folio_wait_bit_common',
    ['__schedule', 'schedule', 'io_schedule', 'folio_wait_bit_common', 'filemap_fault'],
  ],
  ['task_work_run', ['__schedule', '__cond_resched', 'task_work_run', 'do_exit']],
  ['ep_poll', ['__schedule', 'schedule', 'schedule_hrtimeout_range_clock', 'ep_poll', 'do_epoll_wait']],
  ['do_syscall_64', ['__schedule', 'schedule', 'exit_to_user_mode_loop', 'do_syscall_64']],
])('%s', (site, symbols) => {
  expect(waitSite(symbols)).toBe(site);
});

test('compiler suffixes do not hide the scheduler', () => {
  expect(waitSite(['__schedule.constprop.0', 'schedule_timeout.isra.3', 'do_wait'])).toBe('do_wait');
});

test('a function whose name only begins like the scheduler is a wait site', () => {
  expect(waitSite(['schedule', 'scheduler_ipi'])).toBe('scheduler_ipi');
});

test('frames without names are skipped', () => {
  expect(waitSite([null, 'schedule', null, 'pipe_read'])).toBe('pipe_read');
});

test.each([[[]], [[null]], [['__schedule', 'schedule', 'irqentry_exit', 'asm_sysvec_apic_timer_interrupt']]])(
  '%j has no wait site',
  (symbols) => {
    expect(waitSite(symbols)).toBeUndefined();
  },
);
