import { readFileSync } from 'node:fs';
import { execa } from 'execa';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Account, Profile } from '../../metrics/schema.ts';
import { profile, sum, temporaryFile, workload } from './btprof.ts';

/** Of threads that neither share their CPUs nor switch all the time. */
const UNACCOUNTED = 0.01;
/** The scheduler's count is off by some µs at each switch, and knows nothing of what a hypervisor takes. */
const UNACCOUNTED_BUSY = 0.05;

function closed({ account }: Profile, most: number): Account {
  const { thread_time_ns, on_cpu_ns, off_cpu_ns, unaccounted_ns } = account as Account;
  expect(on_cpu_ns + sum(Object.values(off_cpu_ns)) + unaccounted_ns).toBe(thread_time_ns);
  expect(Math.abs(unaccounted_ns) / thread_time_ns).toBeLessThan(most);
  return account as Account;
}

const COMPUTING = ['taskset', '-c', '0', 'awk', 'BEGIN { while (i < 1e8) i++ }'];

/** Of what may be unaccounted: what a hypervisor takes of a CPU. A run in which it took more tells nothing. */
const MOST_STOLEN = 0.8;
const RUNS = 12;
/** Runs a command between two looks at /proc/stat: three processes more. */
const WATCHED = 'before=$0 after=$1; shift; cat /proc/stat > "$before"; "$@"; cat /proc/stat > "$after"';
const WATCHING = 3;

/** A profile of a command, which had its CPUs to itself as far as the hypervisor goes, and of `WATCHING` processes more. */
async function undisturbed(command: readonly string[], unaccounted: number): Promise<Profile> {
  const [before, after] = [temporaryFile('before'), temporaryFile('after')];
  const seen: string[] = [];
  while (seen.length < RUNS) {
    const words = ['run', '--', 'sh', '-c', WATCHED, before, after, ...command];
    const run = await profile(words, { stdin: 'ignore' });
    const stolen = (stolenNs(after) - stolenNs(before)) / (run.account as Account).thread_time_ns;
    if (stolen <= MOST_STOLEN * unaccounted) return run;
    seen.push(`${(100 * stolen).toFixed(1)} %`);
  }
  throw new Error(`the hypervisor took CPUs away in each of ${RUNS} runs: ${seen.join(', ')}`);
}

/** Since the machine began, of all CPUs; the unit of /proc/stat is 10 ms. */
function stolenNs(stat: string): number {
  const [, steal] = /^cpu (?: \d+){7} (\d+)/m.exec(readFileSync(stat, 'utf8')) ?? [];
  return Number(steal) * 1e7;
}

describe('the account closes', () => {
  test.each([
    ['of threads that sleep', () => [workload('sleepers')], 4, UNACCOUNTED],
    ['of 200 short children', () => [workload('forks')], 201, UNACCOUNTED_BUSY],
    ['of one that computes', () => COMPUTING, 1, UNACCOUNTED_BUSY],
  ])('%s', async (_, command, threads, most) => {
    const account = closed(await undisturbed(command(), most), most);
    expect(account).toMatchObject({ threads: threads + WATCHING, threads_unknown: 0 });
    expect(account.on_cpu_ns).toBeGreaterThan(0);
  });

  test('of threads that were there before, and wait throughout', async () => {
    const child = execa(workload('deadlock'), { reject: false });
    onTestFinished(() => void child.kill('SIGKILL'));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const account = closed(await profile(['attach', '-d', '500ms', String(child.pid)]), UNACCOUNTED);
    expect(account.threads).toBe(3);
    expect(account.off_cpu_ns.lock).toBeGreaterThan(0.9 * account.thread_time_ns);
  });
});

test('without the profiler of waits there is none', async () => {
  expect((await profile(['run', '-p', 'syscalls', 'true'])).account).toBeUndefined();
});
