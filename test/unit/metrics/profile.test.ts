import { describe, expect, test } from 'vitest';
import { assembleProfile, metadataOf } from '../../../metrics/profile.ts';
import { expectValid, fitsPublishedSchema } from '../published-schema.ts';
import { recordingOf, SLEEP_ENDING, SLEEP_FACTS, SLEEP_LINES, sleepProfile } from '../sleep-recording.ts';

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

  test('lost nothing, and says which frames have no name', () => {
    expect(profile.quality).toEqual({
      lost_events: 0,
      switches_unseen: 0,
      runs_skipped: 0,
      dropped_lines: 0,
      map_full: 0,
      stacks_missing: 0,
      frames_total: 13,
      frames_unresolved: 3,
      frames_cut: 0,
      warnings: [],
    });
  });

  test('is the same for the same input', () => {
    expect(sleepProfile()).toEqual(profile);
  });
});

test('an address just past a mapping is not in it', () => {
  const user = String.raw`\n\t7f195c62afff 0x7f195c62afff ([unknown])\n\t7f195c62b000 0x7f195c62b000 ([unknown])\n`;
  const line = `{"type": "stats", "data": {"@waits": {"26857,26857,1,1,,${user}": {"count": 1, "average": 5, "total": 5}}}}`;
  const { ebpf } = assembleProfile(recordingOf([line]), SLEEP_FACTS, SLEEP_ENDING);
  expect(ebpf.offcpu?.frames.map((frame) => frame.module)).toEqual([
    '/usr/lib/x86_64-linux-gnu/libc.so.6',
    null,
  ]);
});

test('a profiler that did not run has no part in the result', () => {
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

describe('a stream that breaks off', () => {
  const lines = SLEEP_LINES.slice(0, 3);

  test('after exec, ends when we saw it end', () => {
    const profile = assembleProfile(recordingOf(lines), SLEEP_FACTS, { ...SLEEP_ENDING, incomplete: true });
    expect(profile.metadata).toMatchObject({
      wall_time_ns: SLEEP_ENDING.elapsedNs,
      incomplete: true,
    });
    expectValid(profile);
  });

  test('after a print at an interval, ends with that print', () => {
    const recording = recordingOf([...lines, '{"type": "value", "data": ["tock",3945600000000]}']);
    const profile = assembleProfile(recording, SLEEP_FACTS, { ...SLEEP_ENDING, incomplete: true });
    expect(profile.metadata.wall_time_ns).toBe(3945600000000 - 3945559760474);
  });

  test('before anything, has a valid profile of nothing', () => {
    const profile = assembleProfile(recordingOf([]), SLEEP_FACTS, SLEEP_ENDING);
    expect(profile.ebpf).toMatchObject({ offcpu: { total_events: 0 }, syscalls: { total: 0 } });
    expectValid(profile);
  });
});

describe('what was lost', () => {
  test('is counted under quality', () => {
    const lines = [
      ...SLEEP_LINES.slice(0, -1),
      '{"type": "lost_events", "data": {"events": 46}}',
      'text on stdout',
      '{"type": "map", "data": {"@calls": {"26857,230": 1, "garbage": 2}}}',
    ];
    const ending = { ...SLEEP_ENDING, stacksUnread: 3, warnings: ['said by others'] };
    const profile = assembleProfile(recordingOf(lines), SLEEP_FACTS, ending);
    expect(profile.quality).toMatchObject({
      lost_events: 46,
      dropped_lines: 2,
      stacks_missing: 3,
      warnings: expect.arrayContaining(['said by others']),
    });
    expectValid(profile);
  });

  test('a full map is warned of by name', () => {
    const { quality } = sleepProfile({ mapEntries: 4 });
    expect(quality.map_full).toBe(1);
    expect(quality.warnings).toEqual([
      'the kernel map @calls is full at 4 entries: its counts are too small',
    ]);
  });
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
  const facts = { ...SLEEP_FACTS, pids: [21008] };
  const alive = [{ pid: 21008, tid: 21008, comm: 'worker', state: 'S' }];
  const profile = assembleProfile(recordingOf(lines), facts, { ...SLEEP_ENDING, alive });

  test('a process has its last one: at the end, at exec, or that of its parent', () => {
    const names = Object.values(profile.ebpf.syscalls?.by_process ?? {}).map((p) => p.comm);
    expect(names).toEqual(['worker', 'python3', 'readlink']);
  });

  test('a thread has its own, mended', () => {
    expect(profile.ebpf.offcpu?.thread_stats['21008:21097']?.comm).toBe('café a,b');
  });

  test('processes and threads are counted once each', () => {
    expect(profile.metadata).toMatchObject({ processes: 3, threads: 4 });
  });
});

test('the first line of a jsonl result fits the published schema', () => {
  expectValid({ kind: 'metadata', schema: 'btprof/1', ...metadataOf(SLEEP_FACTS) });
});

test('the published schema refuses what is not a result', () => {
  expect(fitsPublishedSchema({ kind: 'profile' })).toBe(false);
  expect(fitsPublishedSchema({ ...sleepProfile(), schema: 'btprof/2' })).toBe(false);
});
