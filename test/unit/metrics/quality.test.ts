import { describe, expect, test } from 'vitest';
import { expectValid } from '../published-schema.ts';
import { profileOf, SLEEP_LINES, sleepProfile } from '../sleep-recording.ts';

describe('the cost of measuring', () => {
  const profile = sleepProfile();

  test('includes the time of our BPF programs, or why that is unknown', () => {
    const timed = sleepProfile({}, { programTime: { timeNs: 1_030_473, runs: 515 } });
    const { wall_time_ns } = timed.metadata;
    const whole = {
      ...{ bpf_time_ns: 1_030_473, bpf_events: 515, cpu_share: 0.01 },
      ...{ ns_per_event: 2000.9, events_per_second: Math.round((10 * 515e9) / wall_time_ns) / 10 },
    };
    expect(timed.quality.overhead).toEqual({ ...whole, timed_ns: wall_time_ns });
    const programTime = { timeNs: 1_030_473, runs: 515, timedNs: 2_000_000 };
    expect(sleepProfile({}, { programTime }).quality.overhead).toEqual({ ...whole, timed_ns: 2_000_000 });
    const none = sleepProfile({}, { programTime: { timeNs: 0, runs: 0 } }).quality.overhead;
    expect(none).toMatchObject({ ns_per_event: 0, events_per_second: 0 });
    const { overhead, hints } = sleepProfile({}, { programTime: null, untimed: 'EINVAL' }).quality;
    expect(overhead).toBeNull();
    expect(hints.at(-1)).toMatch(
      /^the overhead is unknown because the kernel could not measure it: .*EINVAL$/,
    );
  });

  test('includes the resources that btprof and bpftrace used', () => {
    const footprint = { cpuNs: 20_000_000, btprofBytes: 80e6, bpftraceBytes: 140e6, mapBytes: 400e6 };
    const { wall_time_ns: wall } = profile.metadata;
    expect(sleepProfile({}, { footprint }).quality.footprint).toEqual({
      cpu_time_ns: 20_000_000,
      cpu_share: Math.round((20_000_000 / wall) * 1e6) / 1e6,
      btprof_peak_bytes: 80e6,
      bpftrace_peak_bytes: 140e6,
      map_bytes: 400e6,
    });
  });
});

describe('losses', () => {
  test('are counted under quality', () => {
    const lines = [
      ...SLEEP_LINES.slice(0, -1),
      '{"type": "lost_events", "data": {"events": 46}}',
      'text on stdout',
      '{"type": "value", "data": ["exit",39456',
      '{"type": "map", "data": {"@calls": {"26857,230": 1, "garbage": 2, "26857,0": 1f}}}',
    ];
    const profile = profileOf(lines, {}, { warnings: ['said by others'] });
    expect(profile.quality).toMatchObject({
      lost_events: 46,
      dropped_lines: 3,
      warnings: expect.arrayContaining(['said by others']),
    });
    expectValid(profile);
  });

  const room = { '@waits': 4, '@extremes': 8, '@calls': 4, '@off': 8, '@gen': 8 };
  const sentence = (map: string, keys: number) =>
    `the BPF map ${map} was full (${keys} entries), so events with new keys were not counted; use --map-entries 32`;
  const withFull = (counts: string) => [
    ...SLEEP_LINES.slice(0, -1),
    `{"type": "map", "data": {"@full": {${counts}}}}`,
  ];

  test('include a map that only grows if it has the maximum number of keys', () => {
    const { quality } = sleepProfile({ room });
    expect(quality.map_full).toBe(1);
    expect(quality.warnings).toEqual([sentence('@calls', 4)]);
  });

  test('include a histogram if its buckets fill the map', () => {
    const line =
      '{"type": "hist", "data": {"@took": {"0": [{"min": 2, "count": 5}, {"min": 4, "count": 1}]}}}';
    const full = (keys: number) =>
      profileOf([...SLEEP_LINES.slice(0, -1), line], { room: { '@took': keys } });
    expect([2, 3].map((keys) => full(keys).quality.map_full)).toEqual([1, 0]);
  });

  test('do not include a map with fewer keys, or of unknown size', () => {
    expect(sleepProfile({ room: { ...room, '@calls': 5 } }).quality).toMatchObject({
      map_full: 0,
      warnings: [],
    });
    expect(sleepProfile({ room: {} }).quality.map_full).toBe(0);
  });

  test('include other maps that the program reports as full', () => {
    const { quality } = profileOf(withFull('"@off": 1009, "@gen": 1'), { room: { ...room, '@calls': 8 } });
    expect(quality.map_full).toBe(2);
    expect(quality.warnings).toEqual([sentence('@off', 8), sentence('@gen', 8)]);
  });

  test('include a map once if both report it as full', () => {
    const { quality } = profileOf(withFull('"@calls": 1'), { room });
    expect(quality.map_full).toBe(1);
    expect(quality.warnings).toEqual([sentence('@calls', 4)]);
  });

  test('include kernel errors, which are counted, and each distinct one is reported once', () => {
    const fault =
      '{"type": "helper_error", "msg": "Argument list too long", "helper": "map_update_elem", "retcode": -7, "filename": "stdin", "line": 3, "col": 25}';
    const profile = profileOf([...SLEEP_LINES.slice(0, -1), fault, fault]);
    expect(profile.quality).toMatchObject({ kernel_errors: 2, dropped_lines: 0 });
    expect(profile.quality.warnings).toEqual([
      'bpftrace reported an error in the kernel: Argument list too long',
    ]);
    expectValid(profile);
  });
});
