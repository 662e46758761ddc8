import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import type { Offcpu } from '../../bt/profilers/offcpu/off-schema.ts';
import type { Profile } from '../../metrics/schema.ts';
import { countsOf, profile, refuses32BitCalls, workload } from '../live/btprof.ts';
import { BPFTRACES } from './bpftraces.ts';

/** Disables address randomisation, so that addresses and the loader's lookups are the same in each run. */
const FIXED_ADDRESSES = ['setarch', '-R'];

/** Runs the same command with each version. */
async function profiles(args: readonly string[], command: readonly string[]): Promise<Profile[]> {
  const words = [...FIXED_ADDRESSES, ...command];
  await execa(words[0] as string, words.slice(1), { stdin: 'ignore' }); // fills the caches for all runs
  const results: Profile[] = [];
  for (const { path } of BPFTRACES) {
    results.push(await profile([...args, '--bpftrace', path, '--', ...words], { stdin: 'ignore' }));
  }
  return results;
}

function expectAlike<T>(values: readonly T[]): void {
  for (const value of values) expect(value).toEqual(values[0]);
}

test.concurrent('results contain the version of the bpftrace used', async () => {
  const results = await profiles(['run'], ['true']);
  expect(results.map((p) => p.metadata.bpftrace.replace(/\.\d+$/, ''))).toEqual(['0.17', '0.23', '0.27']);
});

describe.concurrent('the same command has the same counts', () => {
  test.each([
    ['200 short children', () => [workload('forks')]],
    ['8 threads', () => [workload('threads')]],
    ['37 children at once', () => [workload('crowd'), '37', '0']],
    ['git on a real tree', () => ['git', 'log', '--stat', '--no-color']],
  ])('%s', async (_, command) => await expectAlikeCounts(command()));

  test('of calls through the 32-bit entry', async ({ skip }) => {
    skip(await refuses32BitCalls(), 'this kernel refuses int $0x80');
    await expectAlikeCounts([workload('compat')]);
  });

  async function expectAlikeCounts(command: readonly string[]): Promise<void> {
    const results = await profiles(['run', '-p', 'syscalls'], command);
    expectAlike(results.map((p) => withoutTiming(countsOf(p.ebpf.syscalls))));
    expectAlike(results.map((p) => p.ebpf.syscalls?.compat_32bit));
    expectAlike(results.map((p) => ({ processes: p.metadata.processes, threads: p.metadata.threads })));
  }
});

/** How often a thread that waits for others looks again depends on who comes first. */
function withoutTiming({ futex, ...counts }: Record<string, number>): Record<string, number> {
  return counts;
}

describe.concurrent('the same waits have the same stacks', () => {
  test.each([
    ['sleeps', 'sleepers', [], 'do_nanosleep', 69],
    ['reads of a pipe', 'crowd', ['0', '37'], 'anon_pipe_read|pipe_read', 37],
  ])('%s', async (_, name, args, site, count) => {
    const results = await profiles(['run', '-p', 'offcpu'], [workload(name), ...args]);
    const stacks = results.map(({ ebpf }) => stacksAt(ebpf.offcpu as Offcpu, new RegExp(`^(${site})$`)));
    expectAlike(stacks);
    const [first = {}] = stacks;
    expect(Object.values(first).reduce((a, b) => a + b, 0)).toBe(count);
    expect(Object.keys(first)[0]).toMatch(/libc\.so\.6\+0x\w+.*__schedule\+0x\w+/s);
  });
});

/** Number of sleeps by thread in each stack that contains such a kernel function. */
function stacksAt(offcpu: Offcpu, site: RegExp): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const stack of offcpu.stacks.filter((s) => s.state === 'S')) {
    const kernel = stack.kernel.map((i) => offcpu.frames[i]);
    if (!kernel.some((frame) => site.test(frame?.symbol ?? ''))) continue;
    const user = stack.user.map((i) => offcpu.frames[i]);
    const places = [...user.map((f) => [f?.module, f?.offset]), ...kernel.map((f) => [f?.symbol, f?.offset])];
    const key = places.map(([name, offset]) => `${name}+0x${offset?.toString(16)}`).join('\n');
    counts[key] = (counts[key] ?? 0) + stack.count;
  }
  return counts;
}
