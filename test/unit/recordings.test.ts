import { describe, expect, test } from 'vitest';
import { PROFILERS } from '../../bt/profilers/profiler-registry.ts';
import { replay } from '../../metrics/replay.ts';
import { schemasOf } from '../../metrics/schema.ts';
import { waitSite } from '../../metrics/wait-site.ts';
import { keptRun } from './metrics/recorded-profiles.ts';

const VERSIONS = ['0.17', '0.23', '0.27'];
const { profileSchema } = schemasOf(PROFILERS);

function replayed(version: string, name: string) {
  return replay(keptRun(version, name), PROFILERS);
}

describe.each(VERSIONS)('a recording of bpftrace %s gives the profile of its workload', (version) => {
  test.each(['demo', 'sleepers', 'sleepers-no-stacks', 'forks', 'compat'])(
    '%s: the profile is complete and valid',
    (name) => {
      const profile = profileSchema.parse(replayed(version, name));
      expect(profile.quality).toMatchObject({
        lost_events: 0,
        dropped_lines: 0,
        map_full: 0,
        kernel_errors: 0,
      });
      expect(profile.quality.stacks_missing).toBe(0);
      expect(profile.metadata).toMatchObject({ incomplete: false, exit: { code: 0, signal: null } });
      expect(profile.metadata.bpftrace).toContain(`${version}.`);
    },
  );

  test.each(['sleepers', 'sleepers-no-stacks'])('%s: 3 threads sleep 23 times each', (name) => {
    const { syscalls, offcpu } = replayed(version, name).ebpf;
    expect(syscalls?.by_syscall.clock_nanosleep).toEqual({ count: 69 });
    const waits = offcpu?.stacks.filter((stack) => stack.pid !== stack.tid && stack.state === 'S') ?? [];
    expect(waits.map((stack) => stack.count).filter((count) => count >= 23)).toHaveLength(3);
  });

  test('sleepers: the sleeps are in do_nanosleep, called from libc', () => {
    const { offcpu } = replayed(version, 'sleepers').ebpf;
    const sleeps = offcpu?.stacks.filter((stack) => stack.count === 23) ?? [];
    const sites = sleeps.map((stack) => waitSite(stack.kernel.map((i) => offcpu?.frames[i]?.symbol ?? null)));
    expect(sites).toEqual(['do_nanosleep', 'do_nanosleep', 'do_nanosleep']);
    for (const stack of sleeps) expect(offcpu?.frames[stack.user[0] ?? -1]?.module).toMatch(/\/libc\.so\.6$/);
  });

  test('deadlock: 3 threads were blocked in a lock from before the start until the end', () => {
    const { ebpf, quality } = replayed(version, 'deadlock');
    expect(quality).toMatchObject({ dropped_lines: 0, lost_events: 0 });
    expect(ebpf.offcpu?.still_blocked).toHaveLength(3);
    for (const thread of ebpf.offcpu?.still_blocked ?? []) {
      expect(thread).toMatchObject({ since_start: true, comm: 'deadlock' });
      const kernel = thread.kernel.map((i) => ebpf.offcpu?.frames[i]?.symbol ?? null);
      expect(waitSite(kernel)).toMatch(/futex/);
    }
  });

  test('interval: bpftrace prints the totals at each interval', () => {
    const { lines } = keptRun(version, 'interval');
    expect(lines.filter((line) => line.includes('["tock"')).length).toBeGreaterThanOrEqual(2);
  });

  test('full: the result reports which maps were full', () => {
    const { quality } = replayed(version, 'full');
    expect(quality.map_full).toBeGreaterThanOrEqual(3);
    expect(quality.warnings.join()).toMatch(/@off was full.*--map-entries 64/);
    expect(quality.dropped_lines).toBe(0);
  });

  test('forks: 200 children make 3 calls each', () => {
    const { metadata, ebpf } = replayed(version, 'forks');
    expect(metadata.processes).toBe(201);
    expect(ebpf.syscalls?.by_syscall.getppid).toEqual({ count: 600 });
  });

  test('compat: 7 calls go through the 32-bit entry', () => {
    expect(replayed(version, 'compat').ebpf.syscalls?.compat_32bit).toEqual({
      total: 7,
      by_syscall: { getpid: { count: 7 } },
    });
  });

  test('demo: has 13 fsyncs, two workers in a lock and a child that sleeps', () => {
    const { metadata, ebpf } = replayed(version, 'demo');
    expect(metadata.processes).toBe(2);
    expect(ebpf.syscalls?.by_syscall.fsync).toEqual({ count: 13 });
    expect(ebpf.offcpu?.bottlenecks[0]).toMatch(/futex/);
  });
});
