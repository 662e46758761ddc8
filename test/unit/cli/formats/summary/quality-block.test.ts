import { expect, test } from 'vitest';
import { qualityBlock } from '../../../../../cli/formats/summary/quality-block.ts';
import type { Quality } from '../../../../../metrics/quality-schema.ts';
import { sleepProfile } from '../../../sleep-recording.ts';
import { resultOf } from '../result-of.ts';

const SLEEP = sleepProfile();
const LOOK = { columns: 100, colours: false, ascii: false };

/** The block on one line. */
function textOf(quality: Partial<Quality>): string {
  const profile = { ...SLEEP, quality: { ...SLEEP.quality, ...quality } };
  return qualityBlock(resultOf(profile), 3, LOOK).join(' ').replace(/\s+/g, ' ');
}

const OVERHEAD = {
  bpf_time_ns: 93_456_000,
  bpf_events: 123_456,
  ns_per_event: 757,
  events_per_second: 15_678.4,
  cpu_share: 0.012,
};

test('shows the overhead of the BPF programs if it is known', () => {
  const { wall_time_ns } = SLEEP.metadata;
  const text = textOf({ overhead: { ...OVERHEAD, timed_ns: wall_time_ns } });
  expect(text).toContain(' incomplete, overhead 1.2 % of one CPU (123,456 events × 757 ns, 15,678/s).');
  expect(textOf({})).not.toContain('overhead');
});

test('rounds an estimated overhead to two digits', () => {
  const text = textOf({ overhead: { ...OVERHEAD, timed_ns: 1 } });
  expect(text).toContain('(≈120,000 events × 757 ns, 16,000/s)');
});

test('shows the CPU time and memory of btprof and bpftrace if they are known', () => {
  const footprint = {
    cpu_time_ns: 42e6,
    cpu_share: 0.042,
    btprof_peak_bytes: 80e6,
    bpftrace_peak_bytes: 140e6,
    map_bytes: 400e6,
  };
  const text = textOf({ footprint });
  expect(text).toContain(' incomplete, btprof and bpftrace used 42.0 ms of CPU time and 620.0 MB of memory.');
  expect(textOf({})).not.toContain('btprof and bpftrace');
});

test('shows every kind of loss', () => {
  const quality = { lost_events: 46, dropped_lines: 2, map_full: 1, stacks_missing: 1009 };
  expect(textOf(quality)).toContain(
    'Quality: 46 events lost, 2 unreadable lines, 1 BPF map full, 1,009 stacks missing, 1 of 12 frames',
  );
});

test('counts the stacks of all profilers that have stacks', () => {
  const { measurements, ...result } = resultOf(SLEEP);
  const [offcpu] = measurements.filter(({ stacks }) => stacks && !stacks.samplesCpu);
  const other = { ...offcpu, name: 'other' } as (typeof measurements)[number];
  const profile = { ...SLEEP, ebpf: { ...SLEEP.ebpf, other: SLEEP.ebpf.offcpu } };
  const block = qualityBlock({ ...result, profile, measurements: [...measurements, other] }, 3, LOOK).join(
    ' ',
  );
  expect(block).toContain(` of ${2 * (SLEEP.ebpf.offcpu?.total_events ?? 0)} stacks incomplete`);
});
