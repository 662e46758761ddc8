import { describe, expect, test } from 'vitest';
import { accountHints, hintsFor } from '../../../../../bt/profilers/offcpu/off-hints.ts';
import type { Offcpu } from '../../../../../bt/profilers/offcpu/off-schema.ts';
import type { Account } from '../../../../../metrics/account-schema.ts';
import type { Facts, StoredEnding } from '../../../../../metrics/facts.ts';
import type { Frame } from '../../../../../metrics/fields.ts';
import { decodeSpaces } from '../../../../../metrics/mappings.ts';
import { SLEEP_FACTS, sleepProfile } from '../../../sleep-recording.ts';

const OFFCPU = sleepProfile().ebpf.offcpu as Offcpu;
type Row = Offcpu['stacks'][number];
const [ROW] = OFFCPU.stacks as [Row];

/** Waits of processes, each with a complete stack. */
function offcpuOf(pids: readonly number[], more: Partial<Offcpu> = {}): Offcpu {
  const stacks = pids.map((pid) => ({ ...ROW, pid, tid: pid, time_ns: 100, user_incomplete: false }));
  const total_time_ns = 100 * pids.length;
  return { ...OFFCPU, frames: [], still_blocked: [], stacks, total_time_ns, ...more };
}

/** @param ending the mappings as text, by `PID:GENERATION` */
function hints(
  offcpu: Offcpu,
  { mappings = {}, perfMaps = [] }: Partial<StoredEnding> = {},
  facts: Partial<Facts> = {},
): string[] {
  return hintsFor(offcpu, { facts: { ...SLEEP_FACTS, ...facts }, spaces: decodeSpaces(mappings), perfMaps });
}

/** Executable mappings of files. */
function mapsOf(...paths: string[]): string {
  return paths
    .map((path, i) => `7f000000${i}000-7f000000${i + 1}000 r-xp 00000000 fe:00 ${i} ${path}\n`)
    .join('');
}

const LIBC = '/usr/lib/x86_64-linux-gnu/libc.so.6';
const NODE = mapsOf(LIBC, '/usr/bin/node');

test('a program with complete, named stacks gets no hints', () => {
  expect(hints(offcpuOf([1, 2]), { mappings: { '1:1': mapsOf(LIBC, '/usr/bin/sleep') } })).toEqual([]);
  expect(hints(offcpuOf([]))).toEqual([]);
});

describe('a runtime that does not name its compiled code', () => {
  test.each([
    ['Node.js', '/usr/bin/node', '--perf-basic-prof'],
    ['Node.js', '/usr/bin/nodejs', '--perf-basic-prof'],
    ['Node.js', '/usr/lib/libnode.so.115', '--perf-basic-prof'],
    ['Java', '/usr/lib/jvm/java-17/lib/server/libjvm.so', 'Compiler.perfmap'],
    ['Python', '/usr/bin/python3.12', 'PYTHONPERFSUPPORT=1'],
    ['Python', '/usr/lib/libpython3.13.so.1.0', 'PYTHONPERFSUPPORT=1'],
    ['Python', '/usr/bin/python3.20', 'PYTHONPERFSUPPORT=1'],
    ['Python', '/usr/bin/python3.11', 'Python 3.12 and newer'],
    ['Python', '/usr/lib/libpython3.9.so.1.0', 'Python 3.12 and newer'],
  ])('%s, as %s, gets advice: %s', (name, path, advice) => {
    const [hint, ...more] = hints(offcpuOf([7]), { mappings: { '7:1': mapsOf(path, LIBC) } });
    expect(hint?.startsWith(`1 process of ${name} (7) does not say what code it compiles: `)).toBe(true);
    expect(hint).toContain(advice);
    expect(more).toEqual([]);
  });

  test.each([
    '/usr/bin/node_exporter',
    '/srv/node/server',
    '/usr/lib/libjvm.so.debug',
    '/usr/bin/python3-config',
    '/usr/lib/python3.12/_ssl.so',
  ])('is not %s', (path) => {
    expect(hints(offcpuOf([7]), { mappings: { '7:1': mapsOf(path) } })).toEqual([]);
  });

  test('is reported with its processes, but not more than three', () => {
    const of = (...pids: number[]) =>
      hints(offcpuOf(pids), { mappings: Object.fromEntries(pids.map((pid) => [`${pid}:1`, NODE])) })[0];
    expect(of(7, 11)).toMatch(/^2 processes of Node\.js \(7, 11\) do not say what code they compile: /);
    expect(of(7, 11, 13)).toContain('3 processes of Node.js (7, 11, 13) do');
    expect(of(7, 11, 13, 17)).toContain('4 processes of Node.js (7, 11, 13, ...) do');
  });

  test('counts as one process, however many programs that ran', () => {
    const mappings = { '7:1': NODE, '7:2': mapsOf(LIBC), '7:3': NODE };
    expect(hints(offcpuOf([7]), { mappings })[0]).toMatch(/^1 process of Node\.js \(7\)/);
  });

  test('is not reported if it has a perf map or did not wait', () => {
    const mappings = { '7:1': NODE, '11:1': NODE, '13:1': NODE };
    expect(hints(offcpuOf([7, 13]), { mappings, perfMaps: [7] })[0]).toMatch(/^1 process of Node\.js \(13\)/);
    expect(hints(offcpuOf([7]), { mappings, perfMaps: [7] })).toEqual([]);
    expect(hints(offcpuOf([17]), { mappings })).toEqual([]);
  });

  test('is reported if its only wait is still open', () => {
    const [blocked] = offcpuOf([7]).stacks.map((row) => ({ ...row, comm: null, blocked_ns: 1 }));
    const offcpu = offcpuOf([], { still_blocked: blocked ? [blocked] : [] });
    expect(hints(offcpu, { mappings: { '7:1': NODE } })).toHaveLength(1);
  });
});

describe('stacks that lack callers', () => {
  /** Waits of 1 s in total, of which this many ns are in such stacks. */
  const lacking = (...ns: readonly number[]): Offcpu => {
    const whole = { ...ROW, time_ns: 1e9 - ns.reduce((sum, n) => sum + n, 0), user_incomplete: false };
    const incomplete = ns.map((time_ns) => ({ ...ROW, time_ns, user_incomplete: true }));
    return offcpuOf([], { stacks: [whole, ...incomplete], total_time_ns: 1e9 });
  };

  test('get a hint above a tenth of the time', () => {
    expect(hints(lacking(1e8))).toEqual([]);
    expect(hints(lacking(5e7, 5e7))).toEqual([]);
    expect(hints(lacking(1e8 + 1))).toHaveLength(1);
    expect(hints(lacking(123e6, 4e8))[0]).toMatch(
      /^52\.3 % of the off-CPU time is in stacks that lack callers because /,
    );
  });

  test.each([
    [127, ''],
    [10, ': use --stack-depth 127'],
  ])('because they are deeper than %d frames get another hint%s', (stackDepth, advice) => {
    const deep = { ...ROW, user: Array(stackDepth).fill(0), user_cut: 0, user_incomplete: true };
    const offcpu = offcpuOf([], { stacks: [{ ...deep, time_ns: 1e9 }], total_time_ns: 1e9 });
    expect(hints(offcpu, {}, { stackDepth })).toEqual([
      `100.0 % of the off-CPU time is in stacks of more than ${stackDepth} frames, without their outermost callers${advice}`,
    ]);
  });

  test.each([
    ['runtime.goexit.abi0', 0],
    ['internal/runtime/syscall.Syscall6', 0],
    ['syscall.RawSyscall', 0],
    ['runtime_of_c', 1],
  ])('get no advice in Go: %s', (symbol, count) => {
    const frames = [{ address: '0x1', symbol, module: '/app', offset: 1 }];
    const stacks = [{ ...ROW, user: [0], time_ns: 1e9, user_incomplete: true }];
    expect(hints(offcpuOf([], { frames, stacks, total_time_ns: 1e9 }))).toHaveLength(count);
  });

  const compile = 'compile it with -fno-omit-frame-pointer';
  test.each<[string, Partial<Facts>, string]>([
    ['attach', { mode: 'attach', unwindsDwarf: 'yes' }, `--unwind dwarf finds them, or ${compile}`],
    ['run', { mode: 'run', unwindsDwarf: 'yes' }, `--unwind dwarf finds them, or ${compile}`],
    ['system', { mode: 'system', unwindsDwarf: 'yes' }, `attach --unwind dwarf finds them, or ${compile}`],
    [
      'an old bpftrace',
      { mode: 'attach', unwindsDwarf: 'too old' },
      `${compile}, or use --unwind dwarf with bpftrace 0.26 or newer`,
    ],
    ['another architecture', { mode: 'attach', unwindsDwarf: 'no' }, compile],
    ['DWARF in use', { mode: 'attach', unwindsDwarf: 'yes', dwarfPids: [7] }, compile],
  ])('under %s get the advice for it', (_, facts, advice) => {
    const [hint] = hints(lacking(5e8), {}, facts);
    expect(hint).toBe(
      `50.0 % of the off-CPU time is in stacks that lack callers because code without frame pointers hides them: ${advice}`,
    );
  });
});

describe('frames without names', () => {
  const frames = (module: string | null, count: number, symbol: string | null = null): Frame[] =>
    Array.from({ length: count }, (_, i) => ({ address: `0x${i}`, symbol, module, offset: i }));
  const of = (...all: Frame[][]) => hints(offcpuOf([], { frames: all.flat() }));

  test('are reported for the file with most of them', () => {
    expect(of(frames('/a.so', 5), frames('/b.so', 7), frames('/c.so', 6))).toEqual([
      '7 frames of /b.so have no name: install its debug symbols',
    ]);
    expect(of(frames('/a.so', 1))).toEqual(['1 frame of /a.so has no name: install its debug symbols']);
  });

  test('are reported if they are more than a tenth of all frames', () => {
    expect(of(frames('/a.so', 10), frames('/a.so', 90, 'f'))).toEqual([]);
    expect(of(frames('/a.so', 11), frames('/a.so', 89, 'f'))).toHaveLength(1);
    expect(of(frames('/a.so', 6), frames('/b.so', 6), frames('/a.so', 88, 'f'))).toEqual([]);
  });

  test.each([null, '[kernel]', '[vdso]', '[anon:v8]'])('are not reported outside of files: %s', (module) => {
    expect(of(frames(module, 50), frames('/a.so', 9))).toHaveLength(1);
    expect(of(frames(module, 50))).toEqual([]);
  });
});

test('at most three hints are given, those about runtimes first', () => {
  const paths = ['/usr/bin/node', '/usr/lib/libjvm.so', '/usr/bin/python3.12', '/usr/bin/python3.11'];
  const some = (count: number) => {
    const pids = paths.slice(0, count).map((_, i) => i + 1);
    const frames = [{ address: '0x1', symbol: null, module: '/a.so', offset: 1 }];
    const stacks = offcpuOf(pids).stacks.map((row) => ({ ...row, user_incomplete: true }));
    const mappings = Object.fromEntries(pids.map((pid) => [`${pid}:1`, mapsOf(paths[pid - 1] as string)]));
    return hints(offcpuOf(pids, { frames, stacks }), { mappings }).map(
      (hint) => /Node|Java|Python|callers|debug symbols/.exec(hint)?.[0],
    );
  };
  expect(some(1)).toEqual(['Node', 'callers', 'debug symbols']);
  expect(some(2)).toEqual(['Node', 'Java', 'callers']);
  expect(some(4)).toEqual(['Node', 'Java', 'Python']);
});

describe('an accounting drift of more than 1 %', () => {
  const account = (unaccounted_ns: number, miscounted_ns = 0): Account => ({
    threads: 1,
    threads_unknown: 0,
    thread_time_ns: 2_000_000_000,
    on_cpu_ns: 0,
    off_cpu_ns: {},
    idle_ns: {},
    miscounted_ns,
    unaccounted_ns,
    run_delay_ns: 0,
    by_thread: {},
  });
  const of = (unaccounted: number, miscounted = 0) =>
    accountHints(account(unaccounted, miscounted), { ...OFFCPU, total_events: 20_000 }, true);

  test('is explained by waits that the scheduler counted as CPU time', () => {
    expect(of(0, -100_000_000)).toEqual([
      expect.stringMatching(/counted 100\.0 ms of waiting as CPU time, 5\.0 µs per wait/),
    ]);
  });

  test('is explained by CPU time that the scheduler missed', () => {
    expect(of(0, 60_000_000)).toEqual([expect.stringMatching(/missed 60\.0 ms of CPU time/)]);
  });

  test('is explained by context switches that were missed', () => {
    expect(of(60_000_000)).toEqual([expect.stringMatching(/^60\.0 ms counts as neither .* were missed$/)]);
    expect(of(-60_000_000)).toEqual([expect.stringMatching(/^60\.0 ms counts as both .* were missed$/)]);
  });

  test('is explained by lost waits', () => {
    const [hint] = accountHints(account(60_000_000), OFFCPU, false);
    expect(hint).toMatch(/^60\.0 ms counts as neither .*, because some waits were lost$/);
  });

  test.each([20_000_000, -20_000_000, 0])('gets no hint at %d ns of 2 s', (ns) => {
    expect(of(ns, ns)).toEqual([]);
  });

  test('without an account there is no hint about drift', () => {
    expect(accountHints(undefined, OFFCPU, true)).toEqual([]);
  });
});
