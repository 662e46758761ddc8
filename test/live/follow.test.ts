import { describe, expect, test } from 'vitest';
import { countsOf, profile, sum, symbols, workload } from './btprof.ts';

describe.concurrent('the kernel program follows', () => {
  test('200 short children, each with its own calls', async () => {
    const { metadata, ebpf } = await profile(['run', workload('forks')]);
    expect(metadata.processes).toBe(201);
    const children = Object.entries(ebpf.syscalls?.by_process ?? {}).filter(
      ([pid]) => Number(pid) !== metadata.pid,
    );
    expect(children).toHaveLength(200);
    for (const [, child] of children)
      expect(child).toMatchObject({ comm: 'forks', by_syscall: { getppid: 3 } });
  });

  test('a daemon that leaves its parent and its session', async () => {
    const { metadata, ebpf } = await profile(['run', workload('daemon')]);
    expect(metadata.processes).toBe(3);
    expect(countsOf(ebpf.syscalls)).toMatchObject({ getppid: 11, setsid: 1 });
    const sleeps = ebpf.offcpu?.stacks.filter(
      (s) => s.state === 'S' && symbols(ebpf.offcpu, s.kernel).includes('do_nanosleep'),
    );
    expect(sleeps).toHaveLength(1);
    expect(sleeps?.[0]?.pid).not.toBe(metadata.pid);
  });

  test('a chain of execs in one process', async () => {
    const { metadata, ebpf } = await profile(['run', 'sh', '-c', 'exec env sh -c "exec env true"']);
    expect(metadata.processes).toBe(1);
    expect(ebpf.syscalls?.by_process[String(metadata.pid)]?.comm).toBe('true');
    expect(countsOf(ebpf.syscalls).execve).toBeGreaterThanOrEqual(3);
  });

  test('threads that outlive the main thread', async () => {
    const { metadata, ebpf } = await profile(['run', workload('leader-exits')]);
    expect(metadata.threads).toBe(2);
    expect(metadata.wall_time_ns).toBeGreaterThanOrEqual(13 * 10e6);
    const sleeps =
      ebpf.offcpu?.stacks.filter(
        (s) => s.state === 'S' && symbols(ebpf.offcpu, s.kernel).includes('do_nanosleep'),
      ) ?? [];
    expect(sum(sleeps.map((s) => s.count))).toBe(13);
  });

  test('1,009 children that end at once, and btprof does not report them as blocked', async () => {
    const script = 'i=0; while [ $i -lt 1009 ]; do /bin/true; i=$((i+1)); done';
    const { metadata, ebpf } = await profile(['run', 'sh', '-c', script]);
    expect(metadata.processes).toBe(1010);
    expect(ebpf.offcpu?.still_blocked).toEqual([]);
    expect(countsOf(ebpf.syscalls)).toMatchObject({ execve: 1009, exit_group: 1010 });
  });

  test('no children with --no-follow', async () => {
    const { metadata, ebpf } = await profile(['run', '--no-follow', workload('forks')]);
    expect(metadata.processes).toBe(1);
    expect(Object.keys(ebpf.syscalls?.by_process ?? {})).toEqual([String(metadata.pid)]);
    expect(countsOf(ebpf.syscalls)).toMatchObject({ clone: 200, wait4: 200 });
    expect(countsOf(ebpf.syscalls).getppid).toBeUndefined();
  });

  test('only the children of the command, not other processes', async () => {
    const [first, second] = await Promise.all([
      profile(['run', workload('forks')]),
      profile(['run', workload('forks')]),
    ]);
    expect(first.ebpf.syscalls?.by_syscall).toEqual(second.ebpf.syscalls?.by_syscall);
    const [a, b] = [first, second].map((p) => Object.keys(p.ebpf.syscalls?.by_process ?? {}));
    expect(a?.filter((pid) => b?.includes(pid))).toEqual([]);
  });
});

test.concurrent.each([['offcpu'], ['syscalls']])('-p %s runs only that profiler', async (name) => {
  const { metadata, ebpf } = await profile(['run', '-p', name, workload('two-waits')]);
  expect(metadata.profilers).toEqual([name]);
  expect(Object.keys(ebpf)).toEqual([name]);
  expect(metadata.exit).toEqual({ code: 0, signal: null });
  expect(metadata.threads).toBe(2);
});
