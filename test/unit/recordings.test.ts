import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type KeptRun, replay } from '../../metrics/replay.ts';
import { profileSchema } from '../../metrics/schema.ts';
import { waitSite } from '../../metrics/wait-site.ts';

function recorded(name: string): KeptRun {
  return JSON.parse(gunzipSync(readFileSync(`fixtures/recordings/${name}.json.gz`)).toString());
}

describe('a recording of a real run gives the profile that its workload must have', () => {
  test.each(['demo', 'sleepers', 'sleepers-no-stacks', 'forks', 'compat'])(
    '%s is whole and valid',
    (name) => {
      const profile = profileSchema.parse(replay(recorded(name)));
      expect(profile.quality).toMatchObject({ lost_events: 0, dropped_lines: 0, map_full: 0 });
      expect(profile.metadata).toMatchObject({ incomplete: false, exit: { code: 0, signal: null } });
    },
  );

  test.each(['sleepers', 'sleepers-no-stacks'])('%s: 3 threads of 23 sleeps', (name) => {
    const { syscalls, offcpu } = replay(recorded(name)).ebpf;
    expect(syscalls?.by_syscall.clock_nanosleep).toEqual({ count: 69 });
    const waits = offcpu?.stacks.filter((stack) => stack.pid !== stack.tid && stack.state === 'S') ?? [];
    expect(waits.map((stack) => stack.count).filter((count) => count >= 23)).toHaveLength(3);
  });

  test('sleepers: the sleeps are in do_nanosleep', () => {
    const { offcpu } = replay(recorded('sleepers')).ebpf;
    const sites = offcpu?.stacks
      .filter((stack) => stack.count === 23)
      .map((stack) => waitSite(stack.kernel.map((i) => offcpu.frames[i]?.symbol ?? null)));
    expect(sites).toEqual(['do_nanosleep', 'do_nanosleep', 'do_nanosleep']);
  });

  test('forks: 200 children of 3 calls each', () => {
    const { metadata, ebpf } = replay(recorded('forks'));
    expect(metadata.processes).toBe(201);
    expect(ebpf.syscalls?.by_syscall.getppid).toEqual({ count: 600 });
  });

  test('compat: 7 calls through the 32-bit entry', () => {
    expect(replay(recorded('compat')).ebpf.syscalls?.compat_32bit).toEqual({
      total: 7,
      by_syscall: { getpid: { count: 7 } },
    });
  });

  test('demo: 13 fsyncs, two workers in a lock and a child that sleeps', () => {
    const { metadata, ebpf } = replay(recorded('demo'));
    expect(metadata.processes).toBe(2);
    expect(ebpf.syscalls?.by_syscall.fsync).toEqual({ count: 13 });
    expect(ebpf.offcpu?.bottlenecks[0]).toMatch(/futex/);
  });
});
