import { describe, expect, test } from 'vitest';
import type { Offcpu } from '../../../bt/profilers/offcpu/off-schema.ts';
import { metadataOf } from '../../../metrics/profile.ts';
import { expectValid, validate } from '../published-schema.ts';
import { profileOf, SLEEP_ENDING, SLEEP_FACTS, SLEEP_LINES, sleepProfile } from '../sleep-recording.ts';
import type { Lookups } from '../symbol-answers.ts';

describe('the profile of sleep', () => {
  const profile = sleepProfile();

  test('fits the published schema', () => expectValid(profile));

  test('spans from the exec of the command to its exit', () => {
    expect(profile.metadata.wall_time_ns).toBe(3945662807838 - 3945559760474);
  });

  test('has the figures of the kernel', () => {
    expect(profile.ebpf.offcpu).toMatchObject({ total_events: 2, total_time_ns: 100147920 });
    expect(profile.ebpf.syscalls).toMatchObject({ total: 26, by_process: { 26857: { comm: 'sleep' } } });
  });

  test('counts processes and threads', () => {
    expect(profile.metadata).toMatchObject({ processes: 1, threads: 1, incomplete: false });
  });

  test('lost nothing, and counts the frames without a name', () => {
    expect(profile.quality).toEqual({
      lost_events: 0,
      switches_unseen: 0,
      waits_missed: 0,
      runs_skipped: 0,
      dropped_lines: 0,
      map_full: 0,
      kernel_errors: 0,
      stacks_missing: 0,
      stacks_incomplete: 1,
      symbols_unread: 0,
      hints: [expect.stringMatching(/^99.9 % of the off-CPU time is in stacks that lack callers/)],
      frames_total: 12,
      frames_unresolved: 1,
      frames_cut: 1,
      overhead: null,
      footprint: null,
      warnings: [],
    });
  });

  test('is the same for the same input', () => {
    expect(sleepProfile()).toEqual(profile);
  });

  test.each([
    ['0.18 to 0.21, and 0.24 on', String.raw`\n`],
    ['0.22 and 0.23', String.raw`\\n`],
  ])('is the same with stacks as printed by bpftrace %s', (_, newline) => {
    const lines = SLEEP_LINES.map((line) =>
      line.replaceAll(/\\n\\t([0-9a-f]+) [^\\,]+/g, `${newline}$1`).replaceAll(/\\n(?=[,"])/g, newline),
    );
    expect(lines.join('')).not.toMatch(/nanosleep|unknown/);
    expect(profileOf(lines)).toEqual(profile);
  });

  test('is the same with quoted numbers as in 0.24', () => {
    const quoted = SLEEP_LINES.map((line) => line.replaceAll(/(?<=: |["a-z],)(\d+)(?=[,}\]])/g, '"$1"'));
    expect(quoted.join('')).toContain('["ready","3945554148073"]');
    expect(profileOf(quoted)).toEqual(profile);
  });
});

describe('accounting drift', () => {
  const exit = '"sleep"]}';
  const lines = (...more: string[]) => [
    ...SLEEP_LINES.slice(0, 3),
    (SLEEP_LINES[3] as string).replace(exit, '"sleep",2000000,100,2500000]}'),
    ...more.map((map) => `{"type": "map", "data": {${map}}}`),
    ...SLEEP_LINES.slice(4),
  ];

  test('is the missing time between its switches', () => {
    expect(profileOf(lines()).account).toMatchObject({ on_cpu_ns: 2_000_000, miscounted_ns: 500_000 });
  });

  test('is unknown for a thread with a missed switch-out, which is counted', () => {
    const { account, quality } = profileOf(lines('"@missed": {"26857": 3}'));
    expect(account).toMatchObject({ on_cpu_ns: 2_000_000, miscounted_ns: 0 });
    expect(quality).toMatchObject({ waits_missed: 3, switches_unseen: 0 });
  });

  test('is unknown if a map was too full for a thread', () => {
    expect(profileOf(lines('"@full": {"@off": 1}')).account).toMatchObject({ miscounted_ns: 0 });
  });
});

describe('words of a stack that are not code', () => {
  const user = String.raw`\n7f195c57f503\n7f195c62b000\n7f195c62b001\n5f5e100\n`;
  const waits = `{"type": "stats", "data": {"@waits": {"26857,26857,1,1,,${user}": {"count": 7, "average": 5, "total": 35}}}}`;
  const off = `{"type": "map", "data": {"@off": {"26857": [1,26857,1,1,0,0,0,"","${user}"]}}}`;
  const libc = '/usr/lib/x86_64-linux-gnu/libc.so.6';

  test.each([
    ['that ended', [waits], 2],
    ['that did not', [off], 2],
    ['of both kinds', [waits, off], 4],
  ])('end the stacks of waits %s, and are counted once per stack', (_, lines, cut) => {
    const profile = profileOf(lines);
    const { stacks, still_blocked, frames } = profile.ebpf.offcpu as Offcpu;
    for (const row of [...stacks, ...still_blocked]) expect(row).toMatchObject({ user: [0, 1], user_cut: 2 });
    expect(frames.map((frame) => frame.module)).toEqual([libc, libc]);
    expect(profile.quality).toMatchObject({ frames_cut: cut, frames_total: 2, frames_unresolved: 1 });
    expectValid(profile);
  });

  test('stay in the stacks of a process with unknown mappings', () => {
    const profile = profileOf([waits], {}, { mappings: new Map() });
    expect(profile.ebpf.offcpu?.stacks).toMatchObject([{ user: [0, 1, 2, 3], user_cut: 0 }]);
    expect(profile.quality).toMatchObject({ frames_cut: 0, frames_total: 4, frames_unresolved: 4 });
  });
});

test('names are demangled, and frames that share a demangled name stay distinct', () => {
  const kernel = String.raw`\nffffffff821f94c3\n`;
  const user = String.raw`\n7f195c57f503\n7f195c57f505\n`;
  const line = `{"type": "stats", "data": {"@waits": {"26857,26857,1,1,${kernel},${user}": {"count": 1, "average": 5, "total": 5}}}}`;
  const lookups: Partial<Lookups> = {
    user: (_, offset) => ({ symbol: offset === 849155 ? '_Z1fv' : '_Z1fi', offset: 7 }),
    demangle: (name) => (name.startsWith('_Z') ? 'f()' : undefined),
  };
  const { ebpf } = profileOf([line], {}, {}, lookups);
  expect(ebpf.offcpu?.stacks).toMatchObject([{ user: [0, 1], kernel: [2] }]);
  expect(ebpf.offcpu?.frames.map(({ symbol, offset }) => [symbol, offset])).toEqual([
    ['f()', 7],
    ['f()', 8],
    ['schedule', 35],
  ]);
});

test('sums past 2^53 fit the published schema', () => {
  const many = '"count": "18014398509481986", "average": 2, "total": "18446744073709551615"';
  const lines = [
    `{"type": "stats", "data": {"@waits": {"26857,26857,1,1": {${many}}, "26857,26857,1,2": {${many}}}}}`,
    '{"type": "map", "data": {"@calls": {"26857,230": "18446744073709551615", "26857,0": 1}}}',
  ];
  const profile = profileOf(lines, { stacks: false });
  expect(profile.ebpf.offcpu?.total_time_ns).toBe(2 ** 65);
  expect(profile.ebpf.syscalls?.total).toBe(2 ** 64);
  expectValid(profile);
});

test('the result has no part for a profiler that did not run', () => {
  const profile = sleepProfile({ profilers: ['syscalls'] });
  expect(Object.keys(profile.ebpf)).toEqual(['syscalls']);
  expectValid(profile);
  expect(Object.keys(sleepProfile({ profilers: ['offcpu'] }).ebpf)).toEqual(['offcpu']);
});

test('attach and system span from the start of the collection to its end', () => {
  const profile = sleepProfile({ mode: 'attach', cmd: [], executable: null });
  expect(profile.metadata.wall_time_ns).toBe(3945670370177 - 3945554148073);
  expectValid(profile);
});

test('all processes attached to are listed', () => {
  const profile = sleepProfile({ mode: 'attach', pids: [26857, 4711] });
  expect(profile.metadata).toMatchObject({ pid: 26857, pids: [26857, 4711] });
  expectValid(sleepProfile({ mode: 'system', pids: [] }));
  expect(sleepProfile({ mode: 'system', pids: [] }).metadata.pid).toBeNull();
});

describe('a stream that ends early', () => {
  const lines = SLEEP_LINES.slice(0, 3);

  test('after exec ends at the moment we saw it end', () => {
    const profile = profileOf(lines, {}, { incomplete: true });
    expect(profile.metadata).toMatchObject({
      wall_time_ns: SLEEP_ENDING.elapsedNs,
      incomplete: true,
    });
    expectValid(profile);
  });

  test('after a print at an interval ends with that print', () => {
    const tock = '{"type": "value", "data": ["tock",3945600000000]}';
    const profile = profileOf([...lines, tock], {}, { incomplete: true });
    expect(profile.metadata.wall_time_ns).toBe(3945600000000 - 3945559760474);
  });

  test('before any event gives a valid profile of nothing', () => {
    const profile = profileOf([]);
    expect(profile.ebpf).toMatchObject({ offcpu: { total_events: 0 }, syscalls: { total: 0 } });
    expectValid(profile);
  });
});

test('a thread blocked from before the start to the end has its stack from /proc', () => {
  const off = String.raw`{"type": "map", "data": {"@off": {"27000": [3945554148073,27000,1,4096,0,0,0,"\nffffffff821f94c3\n","\n7f195c57f503\n"]}}}`;
  const blocked = {
    kernel: [{ address: '0xffffffff8143f416', symbol: 'futex_do_wait', offset: 70 }],
    user: '7f195c57f503',
  };
  const alive = [{ pid: 26857, tid: 27000, comm: 'worker', state: 'S' }];
  const named = [{ pid: 26857, tid: 27000, comm: 'worker', state: 'S', blocked }];
  const lines = [...SLEEP_LINES.slice(0, -1), off];
  const { ebpf } = profileOf(lines, { mode: 'attach', named }, { alive });
  const [wait] = ebpf.offcpu?.still_blocked ?? [];
  const framesOf = (stack: number[] = []) => stack.map((index) => ebpf.offcpu?.frames[index]);
  expect(wait).toMatchObject({
    pid: 26857,
    tid: 27000,
    comm: 'worker',
    since_start: true,
    state: 'S',
    reason: 'lock',
  });
  expect(framesOf(wait?.kernel)).toMatchObject([{ address: '0xffffffff8143f416', symbol: 'futex_do_wait' }]);
  expect(framesOf(wait?.user)).toMatchObject([{ address: '0x7f195c57f503', symbol: 'clock_nanosleep' }]);
});

/** Processes that fork, exec and rename their threads, printed by bpftrace 0.17. */
describe('names', () => {
  const lines = [
    '{"type": "value", "data": ["exec",3762415155990,21008,1,"python3"]}',
    String.raw`{"type": "value", "data": ["exit",3762692240739,21008,21097,3762671307537,"caf\uffffffc3\uffffffa9 a,b"]}`,
    '{"type": "value", "data": ["fork",3762755367201,21008,21101,1]}',
    '{"type": "value", "data": ["fork",3762755400000,21101,21102,1]}',
    '{"type": "value", "data": ["exec",3762755500000,21102,2,"readlink"]}',
    '{"type": "map", "data": {"@calls": {"21008,0": 1, "21101,0": 1, "21102,0": 1}}}',
    '{"type": "stats", "data": {"@waits": {"21097,21008,1,1,,": {"count": 1, "average": 5, "total": 5}}}}',
  ];
  const alive = [{ pid: 21008, tid: 21008, comm: 'worker', state: 'S' }];
  const profile = profileOf(lines, { pids: [21008] }, { alive });

  test('of a process are the latest: from the end, its exec, or its parent', () => {
    const names = Object.values(profile.ebpf.syscalls?.by_process ?? {}).map((p) => p.comm);
    expect(names).toEqual(['worker', 'python3', 'readlink']);
  });

  test('of a thread are its own, with its bytes restored', () => {
    expect(profile.ebpf.offcpu?.thread_stats['21008:21097']?.comm).toBe('café a,b');
  });

  test('processes and threads are counted once each', () => {
    expect(profile.metadata).toMatchObject({ processes: 3, threads: 4 });
  });
});

test('the first line of a jsonl result fits the published schema', () => {
  expectValid({ kind: 'metadata', schema: 'btprof/1', ...metadataOf(SLEEP_FACTS) });
});

test('the published schema rejects documents that are not results', () => {
  expect(validate({ kind: 'profile' })).toBe(false);
  expect(validate({ ...sleepProfile(), schema: 'btprof/2' })).toBe(false);
});
