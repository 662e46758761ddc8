import { describe, expect, test } from 'vitest';
import type { Offcpu } from '../../../../../bt/profilers/offcpu/off-schema.ts';
import type { Profile } from '../../../../../metrics/schema.ts';
import { cases } from '../../../../effort.ts';
import { busy, linesOf, OFFCPU, SLEEP, SYSCALLS, summaryView } from './summary-views.ts';

function named(cmd: string, comm: string): Profile {
  const thread_stats = Object.fromEntries(
    Object.entries(OFFCPU.thread_stats).map(([key, thread]) => [key, { ...thread, comm }]),
  );
  const still_blocked = [
    {
      ...{
        pid: 26857,
        tid: 26857,
        comm,
        blocked_ns: 5,
        state: 'S' as const,
        reason: 'other' as const,
        idle: null,
        since_start: false,
      },
      ...{ user: [], user_cut: 0, user_incomplete: false, kernel: [] },
    },
  ];
  return {
    ...SLEEP,
    metadata: { ...SLEEP.metadata, cmd: ['sh', '-c', cmd] },
    ebpf: { ...SLEEP.ebpf, offcpu: { ...OFFCPU, thread_stats, still_blocked } },
    quality: { ...SLEEP.quality, warnings: [`about ${comm}`] },
  };
}

test('the summary of sleep shows its time, waits, threads and system calls', () => {
  const text = summaryView(SLEEP);
  expect(text).toMatch(
    /^btprof: sleep 0\.1\n103\.0 ms, 1 process, 1 thread, exit status 0\n- Sleeps account for 99\.9 % of non-idle off-CPU time: /,
  );
  expect(text).toContain('Off-CPU: 100.1 ms in 2 waits, on average 50.1 ms, at most 100.1 ms\n');
  expect(text).toMatch(/^ +100\.1 ms +99\.9 % +1 +1 {2}sleep +\[clock_nanosleep, do_nanosleep\]$/m);
  expect(text).toMatch(/^ +100\.1 ms +97\.2 % +2 {2}26857:26857 sleep {2}sleep \[.+do_nanosleep\]$/m);
  expect(text).toContain('System calls: 26 (252/s), mostly memory management\n');
  expect(text).toMatch(/^ +21 +80\.8 % {2}mmap$/m);
  expect(text).toMatch(/\nQuality: nothing lost, 1 of 12 frames unnamed, 1 of 2 stacks incomplete\.\nHint: /);
});

describe('one screen', () => {
  test('a small program takes at most 28 lines', () => {
    expect(linesOf(SLEEP).length).toBeLessThanOrEqual(28);
  });

  test('the busiest program takes at most 40 lines of 100 columns, and tables show their number of rows', () => {
    const lines = linesOf(busy());
    expect(lines.length).toBeLessThanOrEqual(40);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(lines.flatMap((line) => /\((\d) of 30\)/.exec(line)?.[1] ?? [])).toEqual(['3', '2', '2', '3']);
  });

  test('with many hints it takes at most 40 lines too: hints are omitted first', () => {
    const hints = [1, 2, 3].map((n) => `hint ${n}: ${'words '.repeat(40)}`);
    const profile = busy();
    const lines = linesOf({ ...profile, quality: { ...profile.quality, hints } });
    expect(lines.length).toBeLessThanOrEqual(40);
    expect(lines.filter((line) => /^(Hint: hint \d|More hints)/.test(line))).toHaveLength(2);
    expect(lines.at(-1)).toBe('More hints with -v');
  });

  test('a long command is cut to one line', () => {
    const [first] = linesOf({ ...SLEEP, metadata: { ...SLEEP.metadata, cmd: ['x'.repeat(10_000)] } });
    expect(first?.length).toBe(100);
    expect(first).toMatch(/x…$/);
  });
});

describe('names cannot control the terminal', () => {
  const controls = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/u;

  test.each([
    ['colours', '\u001b[31mred'],
    ['8-bit escapes', '\u009b31mred'],
    ['a line of its own', 'a\nQuality: nothing lost'],
    ['overwriting', 'a\r\bb\u007f'],
    ['right-to-left', 'x\u202etxt.exe\u202c'],
    ['isolates', 'x\u2066y\u2069'],
    ['marks', 'x\u200ey\u200fz\u061c'],
    ['line separators', 'x\u2028y\u2029z'],
  ])('%s', (_, text) => {
    const output = summaryView(named(text, text)).replaceAll('\n', '');
    expect(output).not.toMatch(controls);
    expect(output).toContain(text.replaceAll(new RegExp(controls, 'gu'), '?'));
  });

  /** The blocks that contain control characters. `npm run test:all` tests all characters below U+3000. */
  test.each(
    cases(
      [
        [0x0, 0x100],
        [0x600, 0x640],
        [0x2000, 0x2080],
      ],
      [[0x0, 0x3000]],
    ),
  )('nor can any character from %i to %i', (from, to) => {
    for (let first = from; first < to; first += 8) {
      const text = String.fromCodePoint(...Array.from({ length: 8 }, (_, i) => first + i));
      const output = summaryView(named(text, text)).replaceAll('\n', '');
      expect(output).not.toMatch(controls);
      expect(output).toContain(text.replaceAll(new RegExp(controls, 'gu'), '?').trimEnd());
    }
  });

  test('a newline in a name adds no line', () => {
    expect(linesOf(named('a\nb', 'a\nb'))).toHaveLength(linesOf(named('a b', 'a b')).length);
  });

  test('letters of all scripts are kept', () => {
    expect(summaryView(named('café', '世界'))).toContain('26857:26857 世界');
  });
});

describe('the head', () => {
  const head = (metadata: Partial<Profile['metadata']>) =>
    linesOf({ ...SLEEP, metadata: { ...SLEEP.metadata, ...metadata } })
      .slice(0, 2)
      .join('\n');

  test.each<[Partial<Profile['metadata']>, RegExp]>([
    [{ mode: 'attach', pids: [17, 4711] }, /^btprof: process 17, 4711\n/],
    [{ mode: 'attach', exit: null }, /^btprof: process 26857\n[^\n]*1 thread$/],
    [{ mode: 'system', pid: null, pids: [], exit: null }, /^btprof: the whole machine\n/],
    [{ exit: { code: null, signal: 'SIGKILL' } }, /, killed by SIGKILL$/],
    [{ exit: { code: 3, signal: null } }, /, exit status 3$/],
    [{ incomplete: true }, /, INCOMPLETE$/],
    [{ processes: 41, threads: 1009 }, /, 41 processes, 1,009 threads/],
  ])('%j', (metadata, expected) => {
    expect(head(metadata)).toMatch(expected);
  });
});

describe('missing parts', () => {
  test('a profiler that did not run has no block', () => {
    const text = summaryView({ ...SLEEP, ebpf: { syscalls: SYSCALLS } });
    expect(text).not.toContain('Off-CPU');
    expect(summaryView({ ...SLEEP, ebpf: { offcpu: OFFCPU } })).not.toContain('System calls');
  });

  test('without waits the block is one line', () => {
    const none = { ...OFFCPU, total_events: 0, total_time_ns: 0, stacks: [], top_blocking_threads: [] };
    expect(summaryView({ ...SLEEP, ebpf: { offcpu: none } })).toContain('\n\nOff-CPU: no wait ended\n\n');
  });

  test('without stacks the block shows threads but no waits', () => {
    const stacks = OFFCPU.stacks.map((stack) => ({ ...stack, user: [], kernel: [] }));
    const text = summaryView({ ...SLEEP, ebpf: { offcpu: { ...OFFCPU, stacks, frames: [] } } });
    expect(text).not.toContain('hottest waits');
    expect(text).toMatch(/26857:26857 sleep {2}/);
  });
});

describe('idle waits', () => {
  const row = OFFCPU.stacks[0] as Offcpu['stacks'][number];
  const stacks = OFFCPU.stacks.map((stack) => (stack === row ? { ...row, idle: 'events' as const } : stack));
  const sums = { time_ns: row.time_ns, count: row.count };
  const offcpu = { ...OFFCPU, stacks, idle: { ...sums, by_kind: { events: sums } } };
  const account = {
    ...{ threads: 1, threads_unknown: 0, thread_time_ns: 103_000_000, on_cpu_ns: 2_000_000 },
    ...{ off_cpu_ns: { sleep: row.time_ns, preempted: 54311 }, idle_ns: { sleep: row.time_ns } },
    ...{ miscounted_ns: 0, unaccounted_ns: 0, run_delay_ns: 0, by_thread: {} },
  };
  const idle: Profile = { ...SLEEP, ebpf: { offcpu }, account };

  test('are folded into one line by default, and omitted from the tables', () => {
    const text = summaryView(idle);
    expect(text).toContain('  of which idle: 100.1 ms in 1 wait (events 100.1 ms)\n');
    expect(text).toMatch(/^ {2}idle +97\.2 % /m);
    expect(text).not.toContain('do_nanosleep]\n');
  });

  test('are listed like all others with --idle show', () => {
    const text = summaryView(idle, { idle: 'show' });
    expect(text).not.toMatch(/^ {2}(of which )?idle\b/m);
    expect(text).toMatch(/^ +100\.1 ms +99\.9 % +1 +1 {2}sleep +\[clock_nanosleep, do_nanosleep\]$/m);
  });

  test('are excluded from the shares with --idle hide, but still reported', () => {
    const text = summaryView(idle, { idle: 'hide' });
    expect(text).toContain('Where the 2.9 ms of 1 thread went, without 100.1 ms idle\n');
    expect(text).toMatch(/^ {2}on the CPU +68\.8 % /m);
    expect(text).toContain('  of which idle: 100.1 ms');
  });
});

describe('the long summary', () => {
  test('prints complete stacks', () => {
    const text = summaryView(SLEEP, { verbose: true });
    expect(text).toContain('\n  1. sleep, the longest of thread 26857:26857, 100.1 ms in 1 wait:\n');
    expect(text).toMatch(/^ {6}do_nanosleep\+0x5e \(\[kernel\]\)$/m);
    expect(text).toMatch(/^ {6}\(callers missing\)$/m);
  });
});

test('timed calls are sorted by duration, and show their waits and errors', () => {
  const none = { errors: 0, by_errno: {}, in_flight: 0, in_flight_ns: 0 };
  const waits = { time_ns: 3_000_000, count: 2 };
  const off_cpu = { ...waits, by_reason: { disk: waits } };
  const read = {
    count: 5,
    returned: 5,
    total_time_ns: 4_000_000,
    avg_time_ns: 800_000,
    max_time_ns: 3_000_000,
  };
  const poll = { count: 3, returned: 2, total_time_ns: 90, avg_time_ns: 45, max_time_ns: 50 };
  const by_syscall = {
    read: { ...read, ...none, errors: 3, by_errno: { EAGAIN: 2, EINTR: 1 }, off_cpu },
    poll: { ...poll, ...none, in_flight: 1, in_flight_ns: 5_000_000 },
  };
  const lines = linesOf({ ...SLEEP, ebpf: { syscalls: { ...SYSCALLS, by_syscall } } });
  const rows = lines.filter((line) => / (read|poll),/.test(line)).map((line) => line.trim().split(/ {2,}/));
  expect(rows).toEqual([
    ['90 ns', '?', '3', '0', '45 ns', '50 ns', 'poll, 1 not returned for 5.0 ms'],
    ['4.0 ms', '75.0 %', '5', '3', '800.0 µs', '3.0 ms', 'read, disk 3.0 ms, 2 EAGAIN, 1 EINTR'],
  ]);
});
