import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { assembleProfile, assembleSample, metadataOf } from '../../../metrics/profile.ts';
import { outputSchema } from '../../../metrics/schema.ts';
import { recordingOf, SLEEP_ENDING, SLEEP_FACTS, SLEEP_LINES, sleepProfile } from '../sleep-recording.ts';

const schema = JSON.parse(readFileSync(new URL('../../../docs/schema.json', import.meta.url), 'utf8'));
const validate = new Ajv2020({ strict: false }).compile(schema);

function expectValid(output: unknown): void {
  const printed = JSON.parse(JSON.stringify(output));
  expect(validate(printed) ? [] : validate.errors).toEqual([]);
  expect(outputSchema.parse(printed)).toEqual(printed);
}

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
  expect(profile.metadata.wall_time_ns).toBe(3945670370177 - SLEEP_FACTS.startNs);
  expectValid(profile);
});

describe('a stream that breaks off', () => {
  const lines = SLEEP_LINES.slice(0, 3);

  test('after exec, ends when we saw it end', () => {
    const profile = assembleProfile(recordingOf(lines), SLEEP_FACTS, { ...SLEEP_ENDING, incomplete: true });
    expect(profile.metadata).toMatchObject({
      wall_time_ns: SLEEP_ENDING.endNs - 3945559760474,
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
      ...SLEEP_LINES,
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
      warnings: ['said by others'],
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
  const facts = { ...SLEEP_FACTS, pid: 21008 };
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

describe('lifetimes', () => {
  const lifetimeOf = (lines: readonly string[], named: [number, number][]) => {
    const alive = [{ pid: 10, tid: 11, comm: 'x', state: 'S' }];
    const facts = { ...SLEEP_FACTS, mode: 'attach' as const, pid: 10, startNs: 1000 };
    const ending = { ...SLEEP_ENDING, endNs: 9000, alive, named };
    const waits =
      '{"type": "stats", "data": {"@waits": {"11,10,1,1,,": {"count": 1, "average": 5, "total": 5}}}}';
    const { ebpf } = assembleProfile(recordingOf([waits, ...lines]), facts, ending);
    return ebpf.offcpu?.thread_stats['10:11']?.lifetime_ns;
  };

  test('a thread that was there all the time has all of it', () => {
    expect(lifetimeOf([], [[11, 10]])).toBe(8000);
  });

  test('one that came and goes on is of unknown age', () => {
    expect(lifetimeOf([], [])).toBeNull();
  });

  test('one that exited counts from its start, or from that of the collection', () => {
    expect(lifetimeOf(['{"type": "value", "data": ["exit",5000,10,11,3000,"x"]}'], [])).toBe(2000);
    expect(lifetimeOf(['{"type": "value", "data": ["exit",5000,10,11,500,"x"]}'], [])).toBe(4000);
  });

  test('an exit without a start time, as without BTF, tells nothing', () => {
    expect(lifetimeOf(['{"type": "value", "data": ["exit",5000,10,11,0,"x"]}'], [])).toBeNull();
  });
});

/** A shell that sleeps twice, printed by bpftrace 0.17 every 50 ms; @waits of its children left out. */
describe('samples', () => {
  const first = [
    '{"type": "value", "data": ["exec",4106441837716,865,1,"sh"]}',
    '{"type": "value", "data": ["tick",4106488983033]}',
    '{"type": "stats", "data": {"@waits": {"865,865,1,2": {"count": 1, "average": 245376, "total": 245376}, "865,865,1,0": {"count": 1, "average": 326497, "total": 326497}}}}',
    '{"type": "map", "data": {"@calls": {"865,61": 1, "865,9": 8}}}',
    '{"type": "value", "data": ["tock",4106488993098]}',
  ];
  const second = [
    '{"type": "stats", "data": {"@waits": {"865,865,1,2": {"count": 2, "average": 171981, "total": 343963}, "865,865,1,0": {"count": 1, "average": 326497, "total": 326497}, "865,865,1,1": {"count": 1, "average": 64210551, "total": 64210551}}}}',
    '{"type": "map", "data": {"@calls": {"865,61": 3, "865,9": 8}}}',
    '{"type": "value", "data": ["tock",4106539008756]}',
  ];
  const facts = { ...SLEEP_FACTS, pid: 865, startNs: 4106440000000, stacks: false };
  const early = recordingOf(first);
  const late = recordingOf([...first, ...second]);
  const sample = assembleSample(late, { maps: early.maps, at: 4106488993098 }, facts);

  test('hold what came since the one before', () => {
    expect(sample.ebpf.offcpu).toMatchObject({ total_events: 2, total_time_ns: 98587 + 64210551 });
    expect(sample.ebpf.syscalls).toMatchObject({ total: 2, by_syscall: { wait4: { count: 2 } } });
  });

  test('hold everything since the start when they are the first', () => {
    const start = { maps: new Map(), at: facts.startNs };
    expect(assembleSample(early, start, facts).ebpf.syscalls?.total).toBe(9);
  });

  test('say when they end and how long they are', () => {
    expect(sample.interval_ns).toBe(4106539008756 - 4106488993098);
    expect(sample.ts_ms).toBe(SLEEP_FACTS.t0Ms + 99);
  });

  test('leave out what the kernel keeps for the whole run only', () => {
    expect(Object.keys(sample.ebpf.offcpu ?? {})).not.toContain('max_time_ns');
    expect(sample.ebpf.offcpu?.thread_stats['865:865']).toEqual({
      tid: 865,
      comm: 'sh',
      total_time_ns: 64309138,
      count: 2,
      avg_time_ns: 32154569,
    });
  });

  test('fit the published schema', () => expectValid(sample));
});

test('the first line of a jsonl result fits the published schema', () => {
  expectValid({ kind: 'metadata', schema: 'btprof/1', ...metadataOf(SLEEP_FACTS) });
});

test('the published schema refuses what is not a result', () => {
  expect(validate({ kind: 'profile' })).toBe(false);
  expect(validate({ ...sleepProfile(), schema: 'btprof/2' })).toBe(false);
});
