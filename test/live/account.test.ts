import { execa } from 'execa';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Account, Profile } from '../../metrics/schema.ts';
import { profile, sum, workload } from './btprof.ts';

/** Two clocks measure it, one of which does not count what the programs in the kernel take at each switch. */
const MOST_UNACCOUNTED = 0.05;

function closed({ account }: Profile): Account {
  const { thread_time_ns, on_cpu_ns, off_cpu_ns, unaccounted_ns } = account as Account;
  expect(on_cpu_ns + sum(Object.values(off_cpu_ns)) + unaccounted_ns).toBe(thread_time_ns);
  expect(Math.abs(unaccounted_ns) / thread_time_ns).toBeLessThan(MOST_UNACCOUNTED);
  return account as Account;
}

describe('the account closes', () => {
  test.each([
    ['of threads that sleep', () => [workload('sleepers')], 4],
    ['of 200 short children', () => [workload('forks')], 201],
    ['of one that computes', () => ['git', 'log', '--stat', '--no-color'], 1],
  ])('%s', async (_, command, threads) => {
    const account = closed(await profile(['run', '--', ...command()], { stdin: 'ignore' }));
    expect(account).toMatchObject({ threads, threads_unknown: 0 });
    expect(account.on_cpu_ns).toBeGreaterThan(0);
  });

  test('of threads that were there before, and wait throughout', async () => {
    const child = execa(workload('deadlock'), { reject: false });
    onTestFinished(() => void child.kill('SIGKILL'));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const account = closed(await profile(['attach', '-d', '500ms', String(child.pid)]));
    expect(account.threads).toBe(3);
    expect(account.off_cpu_ns.lock).toBeGreaterThan(0.9 * account.thread_time_ns);
  });
});

test('without the profiler of waits there is none', async () => {
  expect((await profile(['run', '-p', 'syscalls', 'true'])).account).toBeUndefined();
});
