import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import type { Profile } from '../../metrics/schema.ts';
import { countsOf, profile, sum, workload } from './btprof.ts';
import { asStraceCounts, straceCounting, straceCounts } from './strace.ts';

/** Address randomisation changes how often brk and mmap are needed. */
const FIXED_ADDRESSES = ['setarch', '-R'];
/** The interpreter itself, because python3 may be a script that finds it. -S skips packages installed on this machine. */
const { stdout: interpreter } = await execa('python3', ['-c', 'import sys; print(sys.executable)']);
const PYTHON = [interpreter, '-S', '-c'];

describe('a deterministic command has the same counts as under strace -f -c, call by call', () => {
  test.each([
    ['a Python program', () => [...PYTHON, 'import json; print(json.dumps(list(range(1009))))']],
    ['git on a real tree', () => ['git', 'log', '--stat', '--no-color']],
    ['a compiler', () => ['gcc', '-O1', '-fsyntax-only', 'fixtures/workloads/forks.c']],
    ['8 threads', () => [workload('threads')]],
    ['200 short children', () => [workload('forks')]],
  ])('%s', async (_, command) => {
    const words = [...FIXED_ADDRESSES, ...command()];
    await execa(words[0] as string, words.slice(1), { stdin: 'ignore' }); // fills the caches for both runs
    const strace = await straceCounts(words);
    const { syscalls } = (await profileQuietly(['run', '-p', 'syscalls'], words)).ebpf;
    expect(sum(Object.values(strace))).toBeGreaterThan(30);
    expect(asStraceCounts(countsOf(syscalls))).toEqual(strace);
  });
});

test('the first calls of two threads on two CPUs are counted as two', async () => {
  const { syscalls } = (await profileQuietly(['run', '-p', 'syscalls'], [workload('first-calls')])).ebpf;
  const counts = countsOf(syscalls);
  const numbers = Array.from({ length: 400 }, (_, i) => `syscall_${600 + i}`);
  expect(numbers.filter((name) => counts[name] !== 2)).toEqual([]);
});

test('a call that a seccomp filter denies is not counted, and the result says so', async () => {
  const { ebpf, quality } = await profile(['run', '-p', 'syscalls', workload('filtered')]);
  expect(countsOf(ebpf.syscalls)).toMatchObject({ getuid: 5 });
  expect(countsOf(ebpf.syscalls).getppid).toBeUndefined();
  expect(quality.hints).toEqual([expect.stringMatching(/^1 process has a seccomp filter/)]);
});

describe.concurrent('a command whose calls vary has the counts of strace in the same run', () => {
  test.each([
    [
      'gcc, with temporary names at random',
      () => ['gcc', '-O1', '-o', '/dev/null', 'fixtures/workloads/forks.c'],
    ],
    ['a shell pipeline', () => ['sh', '-c', 'seq 1 1009 | sort -rn | head -n 3 | wc -l']],
    ['a daemon that leaves its parent', () => [workload('daemon')]],
    ['threads joined by futexes', () => [workload('sleepers')]],
    ['Python threads', () => [...PYTHON, PYTHON_THREADS]],
  ])('%s', async (_, command) => {
    const prelude = await underStrace(['true']);
    const { ours, strace } = await underStrace(command());
    const before = subtract(prelude.ours, prelude.strace);
    expect(asStraceCounts(subtract(ours, before), { firstExecve: 0 })).toEqual(strace);
  });
});

const PYTHON_THREADS = `
import threading, queue
q = queue.Queue()
def work():
    while q.get(): pass
threads = [threading.Thread(target=work) for _ in range(8)]
for t in threads: t.start()
for i in range(1009): q.put(1)
for t in threads: q.put(0)
for t in threads: t.join()
`;

/**
 * Profiles strace while strace runs the command. strace's child makes some calls before it becomes the command; `true` under
 * strace makes the same calls.
 *
 * @returns what btprof counted for all processes except strace itself, and what strace counted
 */
async function underStrace(command: readonly string[]) {
  const { args, read } = straceCounting();
  const { ebpf } = await profileQuietly(['run', '-p', 'syscalls'], ['strace', ...args, ...command]);
  const ours: Record<string, number> = {};
  for (const process of Object.values(ebpf.syscalls?.by_process ?? {})) {
    if (process.comm === 'strace') continue;
    for (const [name, count] of Object.entries(process.by_syscall)) ours[name] = (ours[name] ?? 0) + count;
  }
  const { exit, exit_group, ...comparable } = ours;
  return { ours: comparable, strace: read() };
}

function subtract(a: Record<string, number>, b: Record<string, number>): Record<string, number> {
  const rest = Object.keys({ ...a, ...b }).map((name) => [name, (a[name] ?? 0) - (b[name] ?? 0)] as const);
  return Object.fromEntries(rest.filter(([, count]) => count !== 0));
}

/** The command's own output is discarded; the profile comes through a separate pipe. */
async function profileQuietly(args: readonly string[], command: readonly string[]): Promise<Profile> {
  return profile([...args, '--', ...command], { stdin: 'ignore' });
}
