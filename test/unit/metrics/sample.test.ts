import { describe, expect, test } from 'vitest';
import { decodeSpaces } from '../../../metrics/mappings.ts';
import { expectValid } from '../published-schema.ts';
import { recordingOf, SLEEP_FACTS, SLEEP_LINES, SLEEP_MAPS, sampleOf } from '../sleep-recording.ts';

const SPACES = decodeSpaces({ '26857:1': SLEEP_MAPS });

/** A shell that sleeps twice, printed by bpftrace 0.17 every 50 ms. @waits of its children are removed. */
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
  const facts = { pids: [865], stacks: false };
  const { maps } = recordingOf(first);
  const sample = sampleOf([...first, ...second], { maps, at: 4106488993098 }, facts);

  test('have what was added since the previous one', () => {
    expect(sample.ebpf.offcpu).toMatchObject({ total_events: 2, total_time_ns: 98587 + 64210551 });
    expect(sample.ebpf.syscalls).toMatchObject({ total: 2, by_syscall: { wait4: { count: 2 } } });
  });

  test('have everything since the start if they are the first', () => {
    const { ebpf, interval_ns } = sampleOf(first, undefined, facts);
    expect(ebpf.syscalls?.total).toBe(9);
    expect(interval_ns).toBe(4106488993098 - 4106441837716);
  });

  test('have the time of their end and their length', () => {
    expect(sample.interval_ns).toBe(4106539008756 - 4106488993098);
    expect(sample.ts_ms).toBe(SLEEP_FACTS.t0Ms + 97);
  });

  test('omit what the kernel only has for the whole run', () => {
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

  test('have the names and processes of threads that ran before the collection', () => {
    const lines = [
      '{"type": "stats", "data": {"@waits": {"21098,21098,1,4096,,": {"count": 1, "average": 5, "total": 5}}}}',
      '{"type": "value", "data": ["tock",4106539008756]}',
    ];
    const named = [{ pid: 21008, tid: 21098, comm: 'worker', state: 'S' }];
    const start = { maps: new Map(), at: 4106441837716 };
    const { ebpf } = sampleOf(lines, start, { ...facts, mode: 'attach', named });
    expect(ebpf.offcpu?.thread_stats).toMatchObject({ '21008:21098': { comm: 'worker', count: 1 } });
  });

  test('have the files and functions of frames, and kernel functions', () => {
    const start = { maps: new Map(), at: 0 };
    const { ebpf } = sampleOf(SLEEP_LINES, start, {}, { spaces: SPACES });
    expect(ebpf.offcpu?.frames.map((frame) => frame.module)).toContain('/usr/lib/x86_64-linux-gnu/libc.so.6');
    const symbols = ebpf.offcpu?.frames.map((frame) => frame.symbol);
    expect(symbols).toEqual(expect.arrayContaining(['do_nanosleep', 'clock_nanosleep']));
    expect(ebpf.offcpu?.stacks.map((row) => row.user_cut)).toEqual([1, 0]);
  });

  test('have demangled names', () => {
    const start = { maps: new Map(), at: 0 };
    const { ebpf } = sampleOf(
      SLEEP_LINES,
      start,
      {},
      {
        spaces: SPACES,
        user: () => ({ symbol: '_Z1fv', offset: 7 }),
        demangle: (name) => (name === '_Z1fv' ? 'f()' : undefined),
      },
    );
    const names = ebpf.offcpu?.frames.map((frame) => frame.symbol);
    expect(names).toContain('f()');
    expect(names).not.toContain('_Z1fv');
  });

  test('have no part for a profiler that did not run', () => {
    const only = { ...facts, profilers: ['syscalls'] };
    expect(Object.keys(sampleOf([...first, ...second], undefined, only).ebpf)).toEqual(['syscalls']);
  });
});
