import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import type { Offcpu } from '../../bt/profilers/offcpu/off-schema.ts';
import { WORKLOADS } from '../../cli/demo/workloads.ts';
import { untilPrints } from '../fake/processes.ts';
import { BTPROF, btprof, expectAllAccounted, profile, temporaryFile } from './btprof.ts';

interface Waited {
  readonly reason: string;
  readonly ns: number;
  readonly site: number | undefined;
  readonly isFsync: boolean;
}

/** A waiting thread is counted in the totals when its wait has ended, and among those still blocked before that. */
function waitsOf({ stacks, still_blocked, frames }: Offcpu): Waited[] {
  const open = still_blocked.map((row) => ({ ...row, time_ns: row.blocked_ns }));
  return [...stacks, ...open].map(({ reason, time_ns: ns, user, kernel }) => {
    const isFsync = kernel.some((index) => frames[index]?.symbol === 'do_fsync');
    return { reason, ns, site: user[0], isFsync };
  });
}

function sum(waits: readonly { ns: number }[]): number {
  return waits.reduce((total, { ns }) => total + ns, 0);
}

/**
 * Share of the blocked time with this reason. Preempted threads are not blocked; they count only if the reason is `preempted`. A
 * program that writes its file first waits in fsync for as long as the disk is busy: that counts only for the disk.
 */
function shareOf(reason: string, offcpu: Offcpu): number {
  const waits = waitsOf(offcpu)
    .filter((wait) => reason === 'preempted' || wait.reason !== 'preempted')
    .filter((wait) => reason === 'disk' || !wait.isFsync);
  return sum(waits.filter((wait) => wait.reason === reason)) / sum(waits);
}

/** The programs here compete for the CPUs, so a wait for a CPU says nothing about the program. */
function bottlenecksOfItself({ bottlenecks }: Offcpu): string[] {
  return bottlenecks.filter((sentence) => !/^Preemptions account for /.test(sentence));
}

describe.concurrent('nearly all blocked time', () => {
  test.each([
    ['lock-convoy', 'lock', 'lock'],
    ['slow-disk', 'disk', 'commit_record'],
    ['sleepy-loop', 'sleep', 'poll_for_work'],
    ['cpu-starvation', 'preempted', 'compute'],
    ['idle-server', 'poll', 'wait_for_connections', 'of off-CPU time: waiting for work'],
    ['deadlock', 'lock', 'lock', '2 threads were still off the CPU at the end,.* lock: lock < transfer'],
    ['pipe-stall', 'pipe', 'produce'],
    ['page-fault-storm', 'page_fault', 'touch_pages'],
  ])('of %s has the reason %s, in %s', async (name, reason, leaf, first?: string) => {
    const { account, ebpf, quality } = await profile(['demo', name]);
    expectAllAccounted(account);
    const offcpu = ebpf.offcpu as Offcpu;
    expect(shareOf(reason, offcpu), JSON.stringify(offcpu.by_reason)).toBeGreaterThanOrEqual(0.9);
    const hot = waitsOf(offcpu).filter((wait) => wait.reason === reason);
    const there = hot.filter(({ site = -1 }) => offcpu.frames[site]?.symbol === leaf);
    // Before bpftrace 0.25, a stack is lost and counted as missing if its hash equals that of an earlier one.
    const known = quality.stacks_missing > 0 ? hot.filter(({ site }) => site !== undefined) : hot;
    expect(sum(there)).toBeGreaterThanOrEqual(0.8 * sum(known));
    expect(quality.frames_unresolved).toBe(0);
    if (first) expect(bottlenecksOfItself(offcpu)).toEqual([expect.stringMatching(first)]);
  });

  test('is near zero in chatty-syscalls, whose calls are nearly all alike', async () => {
    const { account, ebpf, metadata } = await profile(['demo', 'chatty-syscalls']);
    expectAllAccounted(account);
    const { total = 0, by_syscall } = ebpf.syscalls ?? {};
    expect(by_syscall?.read?.count).toBeGreaterThanOrEqual(0.9 * total);
    // It runs for a fixed time and makes as many calls as its CPU time allows: one in less than 10 µs.
    expect(total).toBeGreaterThan((account?.on_cpu_ns ?? Infinity) / 10_000);
    const { by_reason, total_time_ns = 0 } = ebpf.offcpu ?? {};
    const blocked = total_time_ns - (by_reason?.preempted?.time_ns ?? 0);
    expect(blocked).toBeLessThan(0.1 * metadata.wall_time_ns);
  });
});

describe.concurrent('the command', () => {
  test('lists the programs', async () => {
    const { status, stdout, stderr } = await btprof(['demo']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const { name, what } of WORKLOADS) expect(stdout).toMatch(new RegExp(`^ {2}${name} +${what}$`, 'm'));
  });

  test('prints the profile as run does, and explains how to read it', async () => {
    const { status, stdout, stderr } = await btprof(['demo', 'sleepy-loop']);
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(stderr).toMatch(
      /^sleepy-loop: .*\n\$ btprof run -- \/.*\/sleepy-loop\n\nbtprof: .*\n[\d.]+ s, 1 process/,
    );
    const reading = WORKLOADS.find(({ name }) => name === 'sleepy-loop')?.reading ?? [];
    expect(stderr.trimEnd().split('\n').slice(-4)).toEqual([
      'How to read it',
      ...reading.map((line) => `  ${line}`),
    ]);
  });

  test('rejects an unknown name', async () => {
    const { status, stderr } = await btprof(['demo', 'lock']);
    expect(status).toBe(2);
    expect(stderr).toBe(
      `btprof: unknown demo "lock".\nChoose one of: ${WORKLOADS.map(({ name }) => name).join(', ')}\n`,
    );
  });

  test('needs a writable directory', async () => {
    const { status, stderr } = await btprof(['demo', 'deadlock'], { env: { TMPDIR: '/proc/none' } });
    expect(status).toBe(125);
    expect(stderr).toMatch(/^btprof: cannot unpack the demo program: .*\/proc\/none.*\n.*TMPDIR=DIRECTORY/);
  });

  test('leaves no files behind, even after Ctrl-C', async () => {
    const TMPDIR = temporaryFile('room');
    mkdirSync(TMPDIR);
    const child = execa(BTPROF, ['demo', 'deadlock', '-d', '60s'], { reject: false, env: { TMPDIR } });
    await untilPrints(child.stderr, '$ btprof run');
    expect(readdirSync(TMPDIR)).toHaveLength(1);
    child.kill('SIGINT');
    child.kill('SIGINT');
    await child;
    expect(existsSync(TMPDIR) && readdirSync(TMPDIR)).toEqual([]);
  });
});
