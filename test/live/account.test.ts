import { execa } from 'execa';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Account, Profile } from '../../metrics/schema.ts';
import { expectAllAccounted, profile, sum, workload } from './btprof.ts';

/** Of threads that neither share their CPUs nor switch all the time. */
const MISCOUNTED = 0.01;
/** The scheduler's count is off by some µs at each switch, and knows nothing of what a hypervisor takes. */
const MISCOUNTED_BUSY = 0.05;

/** All of the time is known, and the scheduler's own count says the same of the time on the CPU but for a share of `most`. */
function closed({ account }: Profile, most: number): Account {
  const { thread_time_ns, on_cpu_ns, off_cpu_ns, miscounted_ns, unaccounted_ns } = account as Account;
  expect(on_cpu_ns + miscounted_ns + sum(Object.values(off_cpu_ns)) + unaccounted_ns).toBe(thread_time_ns);
  expectAllAccounted(account);
  expect(Math.abs(miscounted_ns) / thread_time_ns).toBeLessThan(most);
  return account as Account;
}

const SLEEPING = `
import threading, time
for i in range(503): threading.Thread(target=time.sleep, args=(60,)).start()`;
const COMPUTING = ['taskset', '-c', '0', 'awk', 'BEGIN { while (i < 1e8) i++ }'];

/** A hypervisor may take the CPU away in a run, and the scheduler need not know; what btprof counts wrongly is wrong in each. */
const RUNS = 12;

/** The account of a command in which the scheduler says the same as the switches. */
async function undisturbed(command: readonly string[], most: number): Promise<Account> {
  const seen: string[] = [];
  while (seen.length < RUNS) {
    const account = closed(await profile(['run', '--', ...command], { stdin: 'ignore' }), 1);
    const miscounted = Math.abs(account.miscounted_ns) / account.thread_time_ns;
    if (miscounted < most) return account;
    seen.push(`${(100 * miscounted).toFixed(1)} %`);
  }
  throw new Error(`the scheduler counted otherwise in each of ${RUNS} runs: ${seen.join(', ')}`);
}

describe('the account closes', () => {
  test.each([
    ['of threads that sleep', () => [workload('sleepers')], 4, MISCOUNTED],
    ['of 200 short children', () => [workload('forks')], 201, MISCOUNTED_BUSY],
    ['of one that computes', () => COMPUTING, 1, MISCOUNTED_BUSY],
  ])('%s', async (_, command, threads, most) => {
    const account = await undisturbed(command(), most);
    expect(account).toMatchObject({ threads, threads_unknown: 0 });
    expect(account.on_cpu_ns).toBeGreaterThan(0);
  });

  test('of one that was there before and is ready, but gets no CPU', async () => {
    const spin = (...words: string[]) =>
      execa('taskset', ['-c', '1', ...words, 'sh', '-c', 'while :; do :; done'], { reject: false });
    const children = [spin('nice', '-n', '-20'), spin('chrt', '--idle', '0')];
    onTestFinished(() => children.forEach((child) => void child.kill('SIGKILL')));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const account = closed(await profile(['attach', '-d', '500ms', String(children[1]?.pid)]), MISCOUNTED);
    expect(account.off_cpu_ns.preempted).toBeGreaterThan(0.9 * account.thread_time_ns);
  });

  test('of many threads that were there before', async () => {
    const child = execa('python3', ['-c', SLEEPING], { reject: false });
    onTestFinished(() => void child.kill('SIGKILL'));
    await new Promise((resolve) => setTimeout(resolve, 500));
    const result = await profile(['attach', '-d', '300ms', '--no-stacks', String(child.pid)]);
    expect(closed(result, MISCOUNTED).threads).toBe(504);
  });

  test('of threads that were there before, and wait throughout', async () => {
    const child = execa(workload('deadlock'), { reject: false });
    onTestFinished(() => void child.kill('SIGKILL'));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const account = closed(await profile(['attach', '-d', '500ms', String(child.pid)]), MISCOUNTED);
    expect(account.threads).toBe(3);
    expect(account.off_cpu_ns.lock).toBeGreaterThan(0.9 * account.thread_time_ns);
  });
});

test('a thread that runs another program is in it under both of its numbers', async () => {
  const account = closed(await profile(['run', workload('thread-exec')]), MISCOUNTED_BUSY);
  expect(account).toMatchObject({ threads: 2, threads_unknown: 0 });
  expect(account.thread_time_ns).toBeLessThan(1e9);
});

test('with --min-block the short waits are unaccounted', async () => {
  const { account, ebpf } = await profile(['run', '--min-block', '1s', workload('sleepers')]);
  const { thread_time_ns, on_cpu_ns, miscounted_ns, unaccounted_ns } = account as Account;
  expect(ebpf.offcpu?.total_events).toBe(0);
  expect(on_cpu_ns + miscounted_ns + unaccounted_ns).toBe(thread_time_ns);
  expect(unaccounted_ns).toBeGreaterThan(0.9 * thread_time_ns);
});

test('without the profiler of waits there is none', async () => {
  expect((await profile(['run', '-p', 'syscalls', 'true'])).account).toBeUndefined();
});
