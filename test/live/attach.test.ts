import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { test as base, describe, expect } from 'vitest';
import { familyOf } from '../../bt/driver/procfs.ts';
import { waitSite } from '../../metrics/wait-site.ts';
import { readProc, stateOf, until, untilAsleep, untilPrints, untilRuns } from '../fake/processes.ts';
import {
  BTPROF,
  bpftraceThat,
  btprof,
  countsOf,
  profile,
  sum,
  symbols,
  temporaryFile,
  validProfile,
  workload,
} from './btprof.ts';
import { asStraceCounts, straceCounting } from './strace.ts';

/** Starts a program and kills it when the test ends. */
type Start = (file: string, ...args: string[]) => number;

const test = base.extend<{ start: Start }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads from it what a fixture needs.
  start: async ({}, use) => {
    const started: { kill: (signal: NodeJS.Signals) => boolean }[] = [];
    await use((file, ...args) => {
      const child = execa(file, args, { stdin: 'ignore', reject: false });
      started.push(child);
      return child.pid as number;
    });
    for (const child of started) child.kill('SIGKILL');
  },
});

describe.concurrent('attach', () => {
  test('counts waits that were already in progress from the start of the collection, and marks them', async ({
    start,
  }) => {
    const fifo = temporaryFile('fifo');
    await execa('mkfifo', [fifo]);
    const pid = start('sh', '-c', 'cat "$0"; cat /dev/null; exec sleep 600', fifo);
    await untilAsleep(pid);
    const file = temporaryFile('p.json');
    const collecting = execa(BTPROF, ['attach', '--json', '-o', file, String(pid)]);
    await untilPrints(collecting.stderr, 'Ctrl-C to stop');
    writeFileSync(fifo, ''); // ends the wait
    await untilRuns(pid, 'sleep');
    collecting.kill('SIGINT');
    await collecting;
    const { metadata, ebpf } = validProfile(readFileSync(file, 'utf8'));
    const [marked, ...others] = ebpf.offcpu?.stacks.filter((s) => s.since_start) ?? [];
    expect(others).toEqual([]);
    expect(marked).toMatchObject({ pid, tid: pid, count: 1, state: 'S', reason: 'child' });
    expect(waitSite(symbols(ebpf.offcpu, marked?.kernel))).toBe('do_wait');
    expect(marked?.time_ns).toBeLessThan(metadata.wall_time_ns);
    expect(metadata).toMatchObject({ mode: 'attach', pid, exit: null });
  });

  test('reports threads blocked from before the start to the end, with their wait site and times within the span', async ({
    start,
  }) => {
    const pid = start(workload('deadlock'));
    await untilAsleep(pid, 3);
    const { metadata, ebpf } = await profile(['attach', '-d', '500ms', String(pid)]);
    const stuck = ebpf.offcpu?.still_blocked ?? [];
    expect(stuck).toHaveLength(3);
    for (const wait of stuck) {
      expect(wait).toMatchObject({ pid, since_start: true });
      expect(wait.blocked_ns).toBeLessThanOrEqual(metadata.wall_time_ns);
      expect(wait.blocked_ns).toBeGreaterThan(0.9 * metadata.wall_time_ns);
      expect(waitSite(symbols(ebpf.offcpu, wait.kernel))).toMatch(/^futex/);
      expect(ebpf.offcpu?.frames[wait.user[0] ?? -1]?.module).toMatch(/libc/);
    }
    expect(metadata.threads).toBe(3);
  });

  test('says that a running process has a seccomp filter', async ({ start }) => {
    const pid = start(workload('filtered'), '600000');
    await untilAsleep(pid);
    const { quality } = await profile(['attach', '-p', 'syscalls', '-d', '200ms', String(pid)]);
    expect(quality.hints).toEqual([expect.stringMatching(/^1 process has a seccomp filter/)]);
  });

  test('has the lifetime of a thread that exits while the maps are printed', async ({ start }) => {
    const pid = start('sleep', '600');
    await untilAsleep(pid);
    const ending = `case $line in *\\"end\\"*) kill ${pid}; sleep 0.5 ;; esac; printf "%s\\n" "$line"`;
    const slow = bpftraceThat(
      `[ "$1" = --version ] && exec bpftrace "$@"\nbpftrace "$@" | while IFS= read -r line; do ${ending}; done`,
    );
    const { account, ebpf } = await profile(['attach', '-d', '1s', '--bpftrace', slow, String(pid)]);
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    expect(account).toMatchObject({ threads: 1, threads_unknown: 0 });
    expect(ebpf.offcpu?.still_blocked).toMatchObject([{ pid, reason: 'sleep' }]);
  });

  test('never reports a thread as blocked that was on a CPU all the time', async ({ start }) => {
    const pid = start('sh', '-c', 'while :; do :; done');
    const { ebpf } = await profile(['attach', '-d', '500ms', String(pid)]);
    expect(ebpf.offcpu?.still_blocked.filter((wait) => wait.since_start)).toEqual([]);
  });

  test('counts the same calls as strace attached to the same process', async ({ start }) => {
    const pid = start('sh', '-c', 'kill -STOP $$; exec git log --stat --no-color');
    await until(() => stateOf(pid) === 'T');
    const { args, read } = straceCounting();
    const strace = execa('strace', [...args, '-p', String(pid)], { reject: false });
    await until(() => !/^TracerPid:\s+0$/m.test(readProc(`/proc/${pid}/status`)));
    const file = temporaryFile('p.json');
    const collecting = execa(BTPROF, ['attach', '--json', '-o', file, String(pid)]);
    await untilPrints(collecting.stderr, 'Ctrl-C to stop');
    process.kill(pid, 'SIGCONT');
    await collecting;
    const { ebpf } = validProfile(readFileSync(file, 'utf8'));
    await strace;
    expect(asStraceCounts(countsOf(ebpf.syscalls), { firstExecve: 0 })).toEqual(read());
  });

  test('follows new children, unless told not to', async ({ start }) => {
    const pid = start('sh', '-c', 'while :; do sleep 0.05; done');
    const followed = await profile(['attach', '-d', '1s', String(pid)]);
    expect(Object.values(followed.ebpf.syscalls?.by_process ?? {}).map((p) => p.comm)).toContain('sleep');
    const alone = await profile(['attach', '--no-follow', '-d', '700ms', String(pid)]);
    expect(Object.keys(alone.ebpf.syscalls?.by_process ?? {})).toEqual([String(pid)]);
  });

  test('ends when the last of its processes has ended', async ({ start }) => {
    const pids = [start('sleep', '600'), start('sleep', '600')] as const;
    for (const pid of pids) await untilAsleep(pid);
    const file = temporaryFile('p.json');
    const collecting = execa(BTPROF, ['attach', '--json', '-o', file, ...pids.map(String)]);
    await untilPrints(collecting.stderr, 'Ctrl-C to stop');
    process.kill(pids[0]);
    await sleep(300); // btprof looks for them every 100 ms
    expect(collecting.exitCode).toBeNull();
    process.kill(pids[1]);
    await collecting;
    expect(validProfile(readFileSync(file, 'utf8')).metadata.processes).toBe(2);
  });

  test('reports the process of a thread ID', async ({ start }) => {
    const pid = start(workload('deadlock'));
    await untilAsleep(pid, 3);
    const thread = readdirSync(`/proc/${pid}/task`).find((tid) => tid !== String(pid)) ?? '';
    const { status, stderr } = await btprof(['attach', thread]);
    expect({ status, stderr }).toEqual({
      status: 125,
      stderr: `btprof: ${thread} is a thread of process ${pid}.\nType: btprof attach ${pid}\n`,
    });
  });

  test('reports a process that does not exist', async () => {
    const { status, stderr } = await btprof(['attach', String(process.pid), '4194303']);
    expect({ status, stderr }).toMatchObject({
      status: 125,
      stderr: expect.stringMatching(/no process 4194303\./),
    });
  });
});

describe('system', () => {
  test('sees running and new processes, but not itself', async ({ start }) => {
    const pid = start('sh', '-c', 'while :; do sleep 0.05; done');
    const file = temporaryFile('p.json');
    const collecting = execa(BTPROF, ['system', '--json', '-o', file]);
    await untilPrints(collecting.stderr, 'Ctrl-C to stop');
    const ours = familyOf(collecting.pid as number).map(String);
    await sleep(1000);
    collecting.kill('SIGINT');
    await collecting;
    const { metadata, ebpf } = validProfile(readFileSync(file, 'utf8'));
    const processes = ebpf.syscalls?.by_process ?? {};
    expect(processes[String(pid)]?.by_syscall).toHaveProperty('wait4');
    expect(Object.values(processes).map((p) => p.comm)).toContain('sleep');
    // The processes of another btprof count too.
    expect(ours.length).toBeGreaterThanOrEqual(3);
    const seen = [
      ...Object.keys(processes),
      ...(ebpf.offcpu?.still_blocked ?? []).map((wait) => `${wait.pid}`),
    ];
    expect(seen.filter((pid) => ours.includes(pid))).toEqual([]);
    expect(metadata).toMatchObject({ mode: 'system', pid: null, cmd: [] });
    expect(sum(Object.values(processes).map((p) => p.total))).toBe(ebpf.syscalls?.total);
  });
});
