import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { profile, profileOfDeadlock, temporaryFile } from './btprof.ts';

const TIMED = ['run', '--syscall-times'];

/** Errors by call, as `strace -f -c` counts them. */
async function straceErrors(command: readonly string[]): Promise<Record<string, number>> {
  const file = temporaryFile('errors');
  await execa('strace', ['-f', '-c', '-U', 'errors,name', '-o', file, ...command], { stdin: 'ignore' });
  const { stdout } = await execa('cat', [file]);
  const rows = [...stdout.matchAll(/^\s*(\d+)\s+(\w+)$/gm)].filter((m) => m[2] !== 'total');
  return Object.fromEntries(rows.map((m) => [m[2] as string, Number(m[1])]));
}

describe.concurrent('with --syscall-times', () => {
  test('errors match those of strace, and all but the last calls return', async () => {
    const command = ['setarch', '-R', 'git', 'log', '--stat', '--no-color', '-5'];
    await execa('git', command.slice(3)); // fills the caches for both runs
    const strace = await straceErrors(command);
    const { ebpf } = await profile([...TIMED, '--', ...command]);
    const calls = Object.entries(ebpf.syscalls?.by_syscall ?? {});
    const errors = calls.filter(([, call]) => call.errors).map(([name, { errors }]) => [name, errors]);
    expect(Object.fromEntries(errors)).toEqual(strace);
    const lost = calls.filter(
      ([name, { count, returned }]) => count !== returned && !name.startsWith('exit'),
    );
    expect(lost).toEqual([]);
  });

  test('a sleep lasts as long as its wait, which is part of the call', async () => {
    const { ebpf } = await profile([...TIMED, '--', 'sleep', '0.3']);
    const sleep = ebpf.syscalls?.by_syscall.clock_nanosleep;
    expect(sleep).toMatchObject({ count: 1, returned: 1, errors: 0, in_flight: 0 });
    // On a busy machine the thread may also have to wait for a CPU within the call.
    const { sleep: asleep, preempted, ...others } = sleep?.off_cpu?.by_reason ?? {};
    expect({ asleep, others }).toEqual({ asleep: expect.objectContaining({ count: 1 }), others: {} });
    expect(sleep?.off_cpu?.count).toBe(1 + (preempted?.count ?? 0));
    const [took = 0, waited = 0] = [sleep?.total_time_ns, sleep?.off_cpu?.time_ns];
    expect(took).toBeGreaterThanOrEqual(waited);
    expect(waited).toBeGreaterThan(0.95 * took);
    expect(sleep?.max_time_ns).toBe(took);
    const row = ebpf.offcpu?.stacks.find(({ reason }) => reason === 'sleep');
    expect(row?.syscall).toBe('clock_nanosleep');
  });

  test('a call still in progress at the end is counted, with its time until then', async () => {
    const { profile, leastWaitNs } = await profileOfDeadlock('--syscall-times');
    const futex = profile.ebpf.syscalls?.by_syscall.futex;
    expect(futex?.in_flight).toBe(3);
    expect(futex?.in_flight_ns).toBeLessThan(profile.account?.thread_time_ns ?? 0);
    expect(futex?.in_flight_ns).toBeGreaterThan(3 * leastWaitNs);
  });

  test('a call interrupted by a signal has the error with which the kernel restarts it', async () => {
    const asleep = 'until grep -q nanosleep /proc/$!/wchan; do :; done';
    const kill = `sleep 60 & ${asleep}; kill -9 $!; wait $! 2>/dev/null; sleep 0.1`;
    const { ebpf } = await profile([...TIMED, '--', 'sh', '-c', `${kill}; true`]);
    const sleep = ebpf.syscalls?.by_syscall.clock_nanosleep;
    expect(sleep).toMatchObject({ count: 2, returned: 2, in_flight: 0 });
    expect(sleep?.by_errno).toEqual({ ERESTART_RESTARTBLOCK: 1 });
  });
});
