import { describe, expect, test } from 'vitest';
import { PROFILERS } from '../../../bt/profilers/profiler-registry.ts';
import type { Account } from '../../../metrics/account-schema.ts';
import type { Measurement } from '../../../metrics/measurement.ts';
import type { Profile } from '../../../metrics/schema.ts';
import {
  frameName,
  partStacks,
  type StackFrame,
  stacksOf,
  type TimedStack,
} from '../../../metrics/timed-stacks.ts';
import { recorded } from './recorded-profiles.ts';

const profiler = (name: string) => PROFILERS.find((profiler) => profiler.name === name) as Measurement;
const [offcpu, oncpu] = [profiler('offcpu'), profiler('oncpu')];

function sumOf(stacks: readonly Pick<TimedStack, 'timeNs'>[]): number {
  return stacks.reduce((sum, { timeNs }) => sum + timeNs, 0);
}

function sumOfKind(stacks: readonly TimedStack[], kind: TimedStack['kind']): number {
  return sumOf(stacks.filter((stack) => stack.kind === kind));
}

describe.each(['0.17', '0.23', '0.27'])('of a recording with bpftrace %s', (version) => {
  test('all waits are included, even those that had not ended', () => {
    const { ebpf } = recorded(version, 'deadlock');
    const stacks = partStacks({ ebpf } as Profile, offcpu);
    const open = ebpf.offcpu?.still_blocked ?? [];
    expect(sumOf(stacks.filter((stack) => !stack.open))).toBe(ebpf.offcpu?.total_time_ns);
    expect(sumOf(stacks.filter((stack) => stack.open))).toBe(
      sumOf(open.map((w) => ({ timeNs: w.blocked_ns }))),
    );
    expect(open).toHaveLength(3);
  });

  test('frames begin at the root and end with those of the kernel', () => {
    const sleep = partStacks(recorded(version, 'sleepers'), offcpu).find((stack) => stack.count === 23);
    const kinds = sleep?.frames.map(({ kind }) => kind) ?? [];
    expect(kinds).toEqual([...kinds].sort().reverse());
    expect(sleep?.frames.map(frameName)).toEqual(
      expect.arrayContaining(['clock_nanosleep', 'do_syscall_64', 'do_nanosleep']),
    );
    expect(sleep?.frames.at(-1)?.frame.symbol).toBe('__schedule');
    expect(sleep).toMatchObject({ kind: 'sleep', comm: 'sleepers', idle: true });
  });

  test('samples add up to the time of oncpu', () => {
    const profile = recorded(version, 'oncpu');
    const { total_time_ns = 0, total_samples = 0 } = profile.ebpf.oncpu ?? {};
    const stacks = partStacks(profile, oncpu);
    expect(sumOf(stacks)).toBe(total_time_ns);
    expect(stacks.reduce((sum, { count }) => sum + count, 0)).toBe(total_samples);
  });

  test('all stacks add up to the account', () => {
    const profile = recorded(version, 'oncpu');
    const account = profile.account as Account;
    const stacks = stacksOf(profile, PROFILERS);
    expect(sumOfKind(stacks, 'on_cpu')).toBe(account.on_cpu_ns + account.miscounted_ns);
    for (const [kind, ns] of Object.entries(account.off_cpu_ns))
      expect([kind, sumOfKind(stacks, kind as TimedStack['kind'])]).toEqual([kind, ns]);
    const left = Object.values(account.by_thread).map(
      (t) => t.time_ns - t.on_cpu_ns - t.miscounted_ns - t.off_cpu_ns,
    );
    expect(sumOfKind(stacks, 'unaccounted')).toBe(left.filter((ns) => ns > 0).reduce((a, b) => a + b, 0));
  });

  test('there are stacks for all time if CPUs were sampled, otherwise only for waits', () => {
    const [sampled, not] = [recorded(version, 'oncpu'), recorded(version, 'sleepers')];
    expect(new Set(stacksOf(sampled, PROFILERS).map(({ kind }) => kind))).toContain('on_cpu');
    expect(stacksOf(not, PROFILERS)).toEqual(partStacks(not, offcpu));
    const waits = PROFILERS.filter(({ name }) => name !== 'oncpu');
    expect(stacksOf(sampled, waits)).toEqual(partStacks(sampled, offcpu));
  });
});

describe('CPU time', () => {
  const thread = { comm: 'a', time_ns: 1000, on_cpu_ns: 990, miscounted_ns: 10, off_cpu_ns: 0 };
  const stack = { pid: 5, tid: 5, user: [], user_cut: 0, user_incomplete: false, kernel: [] };
  const oncpu = { total_samples: 3, total_time_ns: 30, thread_stats: {}, frames: [], mappings: [] };
  const living = (counts: number[], by_thread: Account['by_thread']) => {
    const stacks = counts.map((count) => ({ ...stack, count }));
    const ebpf = { oncpu: { ...oncpu, frequency_hz: 99, stacks } };
    return stacksOf({ ebpf, account: { by_thread } } as unknown as Profile, PROFILERS);
  };

  test('is divided in proportion to the samples, exact to the ns', () => {
    expect(living([1, 1, 1], { '5:5': thread }).map(({ timeNs }) => timeNs)).toEqual([333, 334, 333]);
  });

  test('without a sample is a stack without frames', () => {
    expect(
      living([3], { '5:5': thread, '5:6': { ...thread, time_ns: 1200, on_cpu_ns: 7, miscounted_ns: 0 } }),
    ).toMatchObject([
      { tid: 5, timeNs: 1000, count: 3 },
      { tid: 6, kind: 'on_cpu', timeNs: 7, count: 0, frames: [] },
      { tid: 6, kind: 'unaccounted', timeNs: 1193, frames: [] },
    ]);
  });

  test('of a thread without an account is that of its samples', () => {
    expect(living([3], {})).toMatchObject([{ tid: 5, timeNs: 30, count: 3 }]);
  });
});

test.each([
  ['main', '/bin/a', 'main'],
  [null, '/usr/lib/libc.so.6', '[libc.so.6]'],
  [null, '[vdso]', '[vdso]'],
  [null, '[kernel]', '[kernel]'],
  [null, null, '[unknown]'],
])('the function %j of %j is shown as %s', (symbol, module, name) => {
  const frame = { address: '0x1', symbol, module, offset: 0 };
  expect(frameName({ frame, kind: 'user', mapping: undefined } satisfies StackFrame)).toBe(name);
});
