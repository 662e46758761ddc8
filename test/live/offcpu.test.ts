import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Offcpu } from '../../bt/profilers/offcpu/off-schema.ts';
import { waitSite } from '../../metrics/wait-site.ts';
import {
  btprof,
  profile,
  profileOfDeadlock,
  quote,
  sum,
  symbols,
  temporaryFile,
  validProfile,
  workload,
} from './btprof.ts';

const SLEEPS = 23;
const SLEEP_NS = 40e6;

describe.concurrent('a program that sleeps 23 times 40 ms in each of 3 threads', () => {
  test('has exactly 23 sleeps per thread, which take 920 ms plus scheduling delays', async () => {
    const file = temporaryFile('p.json');
    const { stdout } = await btprof(['run', '--json', '-o', file, workload('sleepers')]);
    const { metadata, ebpf } = validProfile(readFileSync(file, 'utf8'));
    const delays = new Map(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.split(' ').map(Number) as [number, number]),
    );
    expect(delays.size).toBe(3);
    for (const [tid, runDelayNs] of delays) {
      const thread = ebpf.offcpu?.thread_stats[`${metadata.pid}:${tid}`];
      const sleeps =
        ebpf.offcpu?.stacks.filter(
          (s) => s.tid === tid && s.state === 'S' && siteOf(ebpf.offcpu, s) === 'do_nanosleep',
        ) ?? [];
      expect(sum(sleeps.map((s) => s.count))).toBe(SLEEPS);
      expect(thread?.total_time_ns).toBeGreaterThanOrEqual(SLEEPS * SLEEP_NS);
      // The thread reads its delay before it prints it, so waits after that are not included.
      expect(sum(sleeps.map((s) => s.time_ns))).toBeLessThanOrEqual(SLEEPS * SLEEP_NS * 1.05 + runDelayNs);
      expect(thread?.max_time_ns).toBeGreaterThanOrEqual(SLEEP_NS);
    }
  });

  test('has the same sleeps without stacks', async () => {
    const { ebpf } = await profile(['run', '--no-stacks', '--min-block', '30ms', workload('sleepers')]);
    expect(blocksByThread(ebpf.offcpu).filter((count) => count === SLEEPS)).toHaveLength(3);
    expect(ebpf.offcpu?.frames).toEqual([]);
  });

  test('has no short waits with --min-block', async () => {
    const { ebpf } = await profile(['run', '--min-block', '30ms', workload('sleepers')]);
    expect(ebpf.offcpu?.min_time_ns).toBeGreaterThanOrEqual(30e6);
    expect(blocksByThread(ebpf.offcpu).filter((count) => count === SLEEPS)).toHaveLength(3);
  });
});

test.concurrent('stacks belong to the thread that waits, and are taken when it stops', async () => {
  const file = temporaryFile('p.json');
  const { stdout } = await btprof(['run', '--json', '-o', file, workload('two-waits')]);
  const { metadata, ebpf } = validProfile(readFileSync(file, 'utf8'));
  const of = (site: RegExp) =>
    ebpf.offcpu?.stacks.filter((s) => s.state === 'S' && site.test(siteOf(ebpf.offcpu, s) ?? '')) ?? [];
  const sleeps = of(/^do_nanosleep$/);
  const reads = of(/pipe_read/);
  expect(new Set(sleeps.map((s) => s.tid))).toEqual(new Set([metadata.pid]));
  expect(sum(sleeps.map((s) => s.count))).toBe(13);
  expect(sum(reads.map((s) => s.count))).toBe(Number(stdout));
  expect(Number(stdout)).toBeGreaterThan(0);
  expect(reads.every((s) => s.tid !== metadata.pid)).toBe(true);
  for (const stack of [...sleeps, ...reads]) expect(symbols(ebpf.offcpu, stack.kernel)[0]).toBe('__schedule');
  const leaves = (rows: typeof sleeps) =>
    new Set(rows.map((s) => ebpf.offcpu?.frames[s.user[0] ?? -1]?.address));
  expect(leaves(sleeps).size).toBe(1);
  expect(leaves(reads).size).toBe(1);
  expect(leaves(sleeps)).not.toEqual(leaves(reads));
});

test.concurrent('user frames have their module and offset even after the process has ended', async () => {
  const { ebpf } = await profile(['run', workload('two-waits')]);
  const sleep = ebpf.offcpu?.stacks.find((s) => s.state === 'S' && siteOf(ebpf.offcpu, s) === 'do_nanosleep');
  const frames = sleep?.user.map((i) => ebpf.offcpu?.frames[i]) ?? [];
  expect(frames.length).toBeGreaterThanOrEqual(3);
  expect(frames[0]).toMatchObject({
    module: workload('two-waits'),
    address: expect.stringMatching(/^0x[0-9a-f]+$/),
  });
  expect(frames[0]?.offset).toBeGreaterThan(0);
});

test.concurrent('--stack-depth limits both stacks', async () => {
  const { ebpf } = await profile(['run', '--stack-depth', '2', workload('two-waits')]);
  const depths = ebpf.offcpu?.stacks.flatMap((s) => [s.user.length, s.kernel.length]) ?? [];
  expect(Math.max(...depths)).toBe(2);
});

test.concurrent('a stack has all of its frames, however deep it is', async () => {
  const levels = [16, 17, 18, 19, 20, 21, 22, 60, 90];
  const runs = levels.map((level) => `${quote(workload('many-stacks'))} 1 ${level} 1000000`).join('; ');
  const { ebpf } = await profile(['run', 'sh', '-c', runs]);
  const depths = (ebpf.offcpu?.stacks ?? [])
    .filter((s) => s.state === 'S' && siteOf(ebpf.offcpu, s) === 'do_nanosleep')
    .map((s) => symbols(ebpf.offcpu, s.user).filter((name) => name === 'step').length)
    .toSorted((a, b) => a - b);
  // the compiler may have merged the last step into the one before
  expect(depths.map((depth) => depth - (depths[0] ?? 0) + (levels[0] ?? 0))).toEqual(levels);
  expect(depths[0]).toBeGreaterThanOrEqual(15);
});

test.concurrent('a wait in progress at the end is listed with its stack but is not in the totals', async () => {
  const { profile, leastWaitNs, status } = await profileOfDeadlock();
  const { metadata, ebpf } = profile;
  const stuck = ebpf.offcpu?.still_blocked ?? [];
  expect(status).toBe(128 + 15);
  expect(metadata.exit).toBeNull();
  expect(stuck).toHaveLength(3);
  for (const wait of stuck) {
    expect(siteOf(ebpf.offcpu, wait)).toMatch(/^futex/);
    expect(wait.blocked_ns).toBeGreaterThan(leastWaitNs);
    expect(wait.blocked_ns).toBeLessThanOrEqual(metadata.wall_time_ns);
  }
  expect(ebpf.offcpu?.bottlenecks[0]).toMatch(/threads were still off the CPU at the end/);
});

function siteOf(
  offcpu: Offcpu | undefined,
  stack: Offcpu['stacks'][number] | Offcpu['still_blocked'][number],
) {
  return waitSite(symbols(offcpu, stack.kernel));
}

/**
 * How often each thread blocked. A thread that is ready but has no CPU for 30 ms does not count; that happens on a busy
 * machine.
 */
function blocksByThread(offcpu: Offcpu | undefined): number[] {
  const blocked = (offcpu?.stacks ?? []).filter((s) => s.state === 'S');
  const threads = [...new Set(blocked.map((s) => s.tid))];
  return threads.map((tid) => sum(blocked.filter((s) => s.tid === tid).map((s) => s.count)));
}
