import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type KeptRun, replay } from '../../metrics/replay.ts';
import { profileSchema } from '../../metrics/schema.ts';
import { waitSite } from '../../metrics/wait-site.ts';

const VERSIONS = ['0.17', '0.23', '0.27'];

function recorded(version: string, name: string): KeptRun {
  return JSON.parse(gunzipSync(readFileSync(`fixtures/recordings/${version}/${name}.json.gz`)).toString());
}

describe.each(VERSIONS)(
  'a recording of bpftrace %s gives the profile that its workload must have',
  (version) => {
    test.each(['demo', 'sleepers', 'sleepers-no-stacks', 'forks', 'compat'])(
      '%s is whole and valid',
      (name) => {
        const profile = profileSchema.parse(replay(recorded(version, name)));
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

    test.each(['sleepers', 'sleepers-no-stacks'])('%s: 3 threads of 23 sleeps', (name) => {
      const { syscalls, offcpu } = replay(recorded(version, name)).ebpf;
      expect(syscalls?.by_syscall.clock_nanosleep).toEqual({ count: 69 });
      const waits = offcpu?.stacks.filter((stack) => stack.pid !== stack.tid && stack.state === 'S') ?? [];
      expect(waits.map((stack) => stack.count).filter((count) => count >= 23)).toHaveLength(3);
    });

    test('sleepers: the sleeps are in do_nanosleep, called from libc', () => {
      const { offcpu } = replay(recorded(version, 'sleepers')).ebpf;
      const sleeps = offcpu?.stacks.filter((stack) => stack.count === 23) ?? [];
      const sites = sleeps.map((stack) =>
        waitSite(stack.kernel.map((i) => offcpu?.frames[i]?.symbol ?? null)),
      );
      expect(sites).toEqual(['do_nanosleep', 'do_nanosleep', 'do_nanosleep']);
      for (const stack of sleeps)
        expect(offcpu?.frames[stack.user[0] ?? -1]?.module).toMatch(/\/libc\.so\.6$/);
    });

    test('deadlock: 3 threads that were blocked from before the start to the end, in a lock', () => {
      const { ebpf, quality } = replay(recorded(version, 'deadlock'));
      expect(quality).toMatchObject({ dropped_lines: 0, lost_events: 0 });
      expect(ebpf.offcpu?.still_blocked).toHaveLength(3);
      for (const thread of ebpf.offcpu?.still_blocked ?? []) {
        expect(thread).toMatchObject({ since_start: true, comm: 'deadlock' });
        const kernel = thread.kernel.map((i) => ebpf.offcpu?.frames[i]?.symbol ?? null);
        expect(waitSite(kernel)).toMatch(/futex/);
      }
    });

    test('interval: prints of the totals at each of them', () => {
      const { lines } = recorded(version, 'interval');
      expect(lines.filter((line) => line.includes('["tock"')).length).toBeGreaterThanOrEqual(2);
    });

    test('full: what had no room is told', () => {
      const { quality } = replay(recorded(version, 'full'));
      expect(quality.map_full).toBeGreaterThanOrEqual(3);
      expect(quality.warnings.join()).toMatch(/@off was full.*--map-entries 64/);
      expect(quality.dropped_lines).toBe(0);
    });

    test('forks: 200 children of 3 calls each', () => {
      const { metadata, ebpf } = replay(recorded(version, 'forks'));
      expect(metadata.processes).toBe(201);
      expect(ebpf.syscalls?.by_syscall.getppid).toEqual({ count: 600 });
    });

    test('compat: 7 calls through the 32-bit entry', () => {
      expect(replay(recorded(version, 'compat')).ebpf.syscalls?.compat_32bit).toEqual({
        total: 7,
        by_syscall: { getpid: { count: 7 } },
      });
    });

    test('demo: 13 fsyncs, two workers in a lock and a child that sleeps', () => {
      const { metadata, ebpf } = replay(recorded(version, 'demo'));
      expect(metadata.processes).toBe(2);
      expect(ebpf.syscalls?.by_syscall.fsync).toEqual({ count: 13 });
      expect(ebpf.offcpu?.bottlenecks[0]).toMatch(/futex/);
    });
  },
);
