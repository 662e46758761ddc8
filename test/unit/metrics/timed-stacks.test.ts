import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type KeptRun, replay } from '../../../metrics/replay.ts';
import type { Account, Profile } from '../../../metrics/schema.ts';
import {
  frameName,
  livingStacks,
  runningStacks,
  type StackFrame,
  stacksOf,
  type TimedStack,
  waitingStacks,
} from '../../../metrics/timed-stacks.ts';

function recorded(version: string, name: string): Profile {
  const file = `fixtures/recordings/${version}/${name}.json.gz`;
  const kept: KeptRun = JSON.parse(gunzipSync(readFileSync(file)).toString());
  return replay(kept);
}

function sumOf(stacks: readonly Pick<TimedStack, 'timeNs'>[]): number {
  return stacks.reduce((sum, { timeNs }) => sum + timeNs, 0);
}

function sumOfKind(stacks: readonly TimedStack[], kind: TimedStack['kind']): number {
  return sumOf(stacks.filter((stack) => stack.kind === kind));
}

describe.each(['0.17', '0.23', '0.27'])('of a recording with bpftrace %s', (version) => {
  test('waits are all there, also those that had not ended', () => {
    const { ebpf } = recorded(version, 'deadlock');
    const stacks = waitingStacks({ ebpf } as Profile);
    const open = ebpf.offcpu?.still_blocked ?? [];
    expect(sumOf(stacks.filter((stack) => !stack.open))).toBe(ebpf.offcpu?.total_time_ns);
    expect(sumOf(stacks.filter((stack) => stack.open))).toBe(
      sumOf(open.map((w) => ({ timeNs: w.blocked_ns }))),
    );
    expect(open).toHaveLength(3);
  });

  test('frames begin at the root, those of the kernel last', () => {
    const sleep = waitingStacks(recorded(version, 'sleepers')).find((stack) => stack.count === 23);
    const kinds = sleep?.frames.map(({ kind }) => kind) ?? [];
    expect(kinds).toEqual([...kinds].sort().reverse());
    expect(sleep?.frames.map(frameName)).toEqual(
      expect.arrayContaining(['clock_nanosleep', 'do_syscall_64', 'do_nanosleep']),
    );
    expect(sleep?.frames.at(-1)?.frame.symbol).toBe('__schedule');
    expect(sleep).toMatchObject({ kind: 'sleep', comm: 'sleepers', idle: true });
  });

  test('samples stand for as much time as oncpu has', () => {
    const profile = recorded(version, 'oncpu');
    const { total_time_ns = 0, total_samples = 0 } = profile.ebpf.oncpu ?? {};
    const stacks = runningStacks(profile);
    expect(sumOf(stacks)).toBe(total_time_ns);
    expect(stacks.reduce((sum, { count }) => sum + count, 0)).toBe(total_samples);
  });

  test('all of the time adds up to the account', () => {
    const profile = recorded(version, 'oncpu');
    const account = profile.account as Account;
    const stacks = livingStacks(profile);
    expect(sumOfKind(stacks, 'on_cpu')).toBe(account.on_cpu_ns + account.miscounted_ns);
    for (const [kind, ns] of Object.entries(account.off_cpu_ns))
      expect([kind, sumOfKind(stacks, kind as TimedStack['kind'])]).toEqual([kind, ns]);
    const left = Object.values(account.by_thread).map(
      (t) => t.time_ns - t.on_cpu_ns - t.miscounted_ns - t.off_cpu_ns,
    );
    expect(sumOfKind(stacks, 'unaccounted')).toBe(left.filter((ns) => ns > 0).reduce((a, b) => a + b, 0));
  });

  test('a picture has all of the time where stacks were sampled, else the waits', () => {
    const [sampled, not] = [recorded(version, 'oncpu'), recorded(version, 'sleepers')];
    expect(sumOf(stacksOf(sampled))).toBe(sumOf(livingStacks(sampled)));
    expect(sumOf(stacksOf(not))).toBe(sumOf(waitingStacks(not)));
  });
});

describe('time on the CPU', () => {
  const thread = { comm: 'a', time_ns: 1000, on_cpu_ns: 990, miscounted_ns: 10, off_cpu_ns: 0 };
  const stack = { pid: 5, tid: 5, user: [], user_cut: 0, user_incomplete: false, kernel: [] };
  const oncpu = { total_samples: 3, total_time_ns: 30, thread_stats: {}, frames: [], mappings: [] };
  const living = (counts: number[], by_thread: Account['by_thread']) => {
    const stacks = counts.map((count) => ({ ...stack, count }));
    const ebpf = { oncpu: { ...oncpu, frequency_hz: 99, stacks } };
    return livingStacks({ ebpf, account: { by_thread } } as unknown as Profile);
  };

  test('is shared out as the samples are, to the last ns', () => {
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

  test('of a thread whose account is not known is that of its samples', () => {
    expect(living([3], {})).toMatchObject([{ tid: 5, timeNs: 30, count: 3 }]);
  });
});

test.each([
  ['main', '/bin/a', 'main'],
  [null, '/usr/lib/libc.so.6', '[libc.so.6]'],
  [null, '[vdso]', '[vdso]'],
  [null, '[kernel]', '[kernel]'],
  [null, null, '[unknown]'],
])('the function %j of %j is called %s', (symbol, module, name) => {
  const frame = { address: '0x1', symbol, module, offset: 0 };
  expect(frameName({ frame, kind: 'user', mapping: undefined } satisfies StackFrame)).toBe(name);
});
