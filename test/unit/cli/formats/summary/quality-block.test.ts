import { expect, test } from 'vitest';
import { qualityBlock } from '../../../../../cli/formats/summary/quality-block.ts';
import type { Quality } from '../../../../../metrics/schema.ts';
import { sleepProfile } from '../../../sleep-recording.ts';

const SLEEP = sleepProfile();
const LOOK = { columns: 100, colours: false, ascii: false };

/** In one line. */
function textOf(quality: Partial<Quality>): string {
  const profile = { ...SLEEP, quality: { ...SLEEP.quality, ...quality } };
  return qualityBlock(profile, 3, LOOK).join(' ').replace(/\s+/g, ' ');
}

const OVERHEAD = {
  bpf_time_ns: 93_456_000,
  bpf_events: 123_456,
  ns_per_event: 757,
  events_per_second: 15_678.4,
  cpu_share: 0.012,
};

test('what our own programs took is said, where it is known', () => {
  const { wall_time_ns } = SLEEP.metadata;
  const text = textOf({ overhead: { ...OVERHEAD, timed_ns: wall_time_ns } });
  expect(text).toContain(' callers, overhead 1.2 % of one CPU (757 ns in each of 123,456 events, 15,678/s).');
  expect(textOf({})).not.toContain('overhead');
});

test('what is estimated of it is not said to a digit', () => {
  const text = textOf({ overhead: { ...OVERHEAD, timed_ns: 1 } });
  expect(text).toContain('(757 ns in each of about 120,000 events, 16,000/s)');
});

test('what btprof and bpftrace took besides is said, where it is known', () => {
  const footprint = {
    cpu_time_ns: 42e6,
    cpu_share: 0.042,
    btprof_peak_bytes: 80e6,
    bpftrace_peak_bytes: 140e6,
    map_bytes: 400e6,
  };
  const text = textOf({ footprint });
  expect(text).toContain(' callers, btprof and bpftrace 42.0 ms of CPU time and 620.0 MB.');
  expect(textOf({})).not.toContain('btprof and bpftrace');
});

test('every kind of loss is said', () => {
  const quality = { lost_events: 46, dropped_lines: 2, map_full: 1, stacks_missing: 1009 };
  expect(textOf(quality)).toContain(
    'Quality: 46 events lost, 2 lines unread, 1 kernel maps full, 1,009 stacks missing, 1 of 12 frames',
  );
});
