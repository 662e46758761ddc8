import { readFileSync } from 'node:fs';
import { execa } from 'execa';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Account } from '../../metrics/account-schema.ts';
import type { Profile } from '../../metrics/schema.ts';
import { untilAsleep, untilRuns } from '../fake/processes.ts';
import { expectAllAccounted, profile, sum, temporaryFile, workload } from './btprof.ts';

/** For threads that neither share their CPUs nor switch all the time. */
const MAX_DRIFT = 0.01;
/** The scheduler's count is off by some µs at each switch, and does not know which time a hypervisor takes. */
const MAX_DRIFT_BUSY = 0.05;

/** Expects that all time is accounted, and that the scheduler's count of CPU time differs by less than the share `most`. */
function checkedAccount({ account }: Profile, most: number): Account {
  const { thread_time_ns, on_cpu_ns, off_cpu_ns, miscounted_ns, unaccounted_ns } = account as Account;
  expect(on_cpu_ns + miscounted_ns + sum(Object.values(off_cpu_ns)) + unaccounted_ns).toBe(thread_time_ns);
  expectAllAccounted(account);
  expect(Math.abs(miscounted_ns) / thread_time_ns).toBeLessThan(most);
  return account as Account;
}

const SLEEPING = `
import threading, time
for i in range(503): threading.Thread(target=time.sleep, args=(600,)).start()`;
const COMPUTING = ['taskset', '-c', '0', 'awk', 'BEGIN { while (i < 1e8) i++ }'];

/** Highest share of the allowed error that a hypervisor may take from the CPUs. Runs above it are discarded. */
const MAX_STOLEN_SHARE = 0.8;
const RUNS = 12;
/** Runs a command between two reads of /proc/stat, which adds three processes. */
const WITH_PROC_STAT =
  'before=$0 after=$1; shift; cat /proc/stat > "$before"; "$@"; cat /proc/stat > "$after"';
const EXTRA_PROCESSES = 3;

/** Profiles a command together with `EXTRA_PROCESSES` more processes, in a run that the hypervisor hardly disturbed. */
async function profileUndisturbed(command: readonly string[], miscounted: number): Promise<Profile> {
  const [before, after] = [temporaryFile('before'), temporaryFile('after')];
  const seen: string[] = [];
  while (seen.length < RUNS) {
    const words = ['run', '--', 'sh', '-c', WITH_PROC_STAT, before, after, ...command];
    const run = await profile(words, { stdin: 'ignore' });
    const stolen = (stolenNs(after) - stolenNs(before)) / (run.account as Account).thread_time_ns;
    if (stolen <= MAX_STOLEN_SHARE * miscounted) return run;
    seen.push(`${(100 * stolen).toFixed(1)} %`);
  }
  throw new Error(`the hypervisor took CPUs away in each of ${RUNS} runs: ${seen.join(', ')}`);
}

/** Stolen time of all CPUs since boot; the unit of /proc/stat is 10 ms. */
function stolenNs(stat: string): number {
  const [, steal] = /^cpu (?: \d+){7} (\d+)/m.exec(readFileSync(stat, 'utf8')) ?? [];
  return Number(steal) * 1e7;
}

/** The hypervisor may take a CPU without a trace in /proc/stat, so two of up to three runs must have a small drift. */
async function agreeingAccount(command: readonly string[], most: number): Promise<Account> {
  const seen: number[] = [];
  for (let good = 0; seen.length - good < 2; ) {
    const run = await profileUndisturbed(command, most);
    const account = checkedAccount(run, 1);
    seen.push(account.miscounted_ns / account.thread_time_ns);
    if (Math.abs(seen.at(-1) ?? 1) < most && ++good === 2) return account;
  }
  throw new Error(`the scheduler's count differs by more than ${most}: ${seen.join(', ')}`);
}

describe('the account', () => {
  test.each([
    ['sleeping threads', () => [workload('sleepers')], 4, MAX_DRIFT],
    ['200 short children', () => [workload('forks')], 201, MAX_DRIFT_BUSY],
    ['a computing thread', () => COMPUTING, 1, MAX_DRIFT_BUSY],
  ])('of %s adds up', async (_, command, threads, most) => {
    const account = await agreeingAccount(command(), most);
    expect(account).toMatchObject({ threads: threads + EXTRA_PROCESSES, threads_unknown: 0 });
    expect(account.on_cpu_ns).toBeGreaterThan(0);
  });

  test('of a thread that is ready but gets no CPU adds up', async () => {
    const spin = async (...words: string[]) => {
      const child = execa('taskset', ['-c', '1', ...words, 'sh', '-c', 'while :; do :; done'], {
        reject: false,
      });
      onTestFinished(() => void child.kill('SIGKILL'));
      await untilRuns(child.pid as number, 'sh');
      return child.pid as number;
    };
    // The starved process starts first: beside the other one it would never reach its loop.
    const waiting = await spin('chrt', '--idle', '0');
    await spin('nice', '-n', '-20');
    const account = checkedAccount(await profile(['attach', '-d', '500ms', String(waiting)]), MAX_DRIFT);
    expect(account.off_cpu_ns.preempted).toBeGreaterThan(0.9 * account.thread_time_ns);
  });

  test('of 504 threads that ran before adds up', async () => {
    const child = execa('python3', ['-c', SLEEPING], { reject: false });
    onTestFinished(() => void child.kill('SIGKILL'));
    await untilAsleep(child.pid as number, 504);
    const result = await profile(['attach', '-d', '300ms', '--no-stacks', String(child.pid)]);
    expect(checkedAccount(result, MAX_DRIFT).threads).toBe(504);
  });

  test('of threads that wait from before the start to the end adds up', async () => {
    const child = execa(workload('deadlock'), { reject: false });
    onTestFinished(() => void child.kill('SIGKILL'));
    await untilAsleep(child.pid as number, 3);
    const account = checkedAccount(await profile(['attach', '-d', '500ms', String(child.pid)]), MAX_DRIFT);
    expect(account.threads).toBe(3);
    expect(account.off_cpu_ns.lock).toBeGreaterThan(0.9 * account.thread_time_ns);
  });
});

test('a thread that runs another program is in the account under both of its numbers', async () => {
  const result = await profile(['run', workload('thread-exec')]);
  const account = checkedAccount(result, MAX_DRIFT_BUSY);
  expect(account).toMatchObject({ threads: 2, threads_unknown: 0 });
  expect(account.thread_time_ns).toBeLessThanOrEqual(2 * result.metadata.wall_time_ns);
});

test('an exited process that nobody waits for is in the account once', async () => {
  const command = ['sh', '-c', 'true & exec sleep 5'];
  const result = await profile(['run', '-d', '500ms', '--', ...command]);
  expect(checkedAccount(result, 1)).toMatchObject({ threads: 2, threads_unknown: 0 });
});

test('with --min-block the time of short waits is unaccounted', async () => {
  const { account, ebpf } = await profile(['run', '--min-block', '1h', workload('sleepers')]);
  const { thread_time_ns, on_cpu_ns, miscounted_ns, unaccounted_ns } = account as Account;
  expect(ebpf.offcpu?.total_events).toBe(0);
  expect(on_cpu_ns + miscounted_ns + unaccounted_ns).toBe(thread_time_ns);
  expect(unaccounted_ns).toBeGreaterThan(0.9 * thread_time_ns);
});

test('without the off-CPU profiler there is no account', async () => {
  expect((await profile(['run', '-p', 'syscalls', 'true'])).account).toBeUndefined();
});
