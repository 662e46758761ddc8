import { expect, test } from 'vitest';
import { eventLine, mapLine, sumEntry } from '../printed-lines.ts';
import { profileOf } from '../sleep-recording.ts';

/** A command that was held at its entry from 230 to 400, while a second bpftrace replaced the first. */
const TAKE_OVER = [
  eventLine('ready', 100),
  eventLine('exec', 110, 7, 1, 'a'),
  eventLine('began', 110, 7, 0, 0, 0, 0),
  eventLine('entry', 200, 7),
  eventLine('stop', 260),
  mapLine('@waits', [sumEntry('7,7,1,1', 2, 40)]),
  mapLine('@extremes', [{ key: '7,7', value: [30, 10] }]),
  mapLine('@calls', [{ key: '7,0', value: 3 }]),
  mapLine('@off', [{ key: '7', value: [230, 7, 1, 4, 80, 30, 10] }]),
  eventLine('end', 261),
  eventLine('ready', 300),
  eventLine('start', 400),
  eventLine('exit', 800, 7, 7, 50, 'a', 350, 6, 270),
  eventLine('stop', 900),
  mapLine('@waits', [sumEntry('7,7,1,1', 1, 90), sumEntry('7,7,2,1', 1, 40)]),
  mapLine('@extremes', [{ key: '7,7', value: [90, 40] }]),
  mapLine('@calls', [
    { key: '7,0', value: 5 },
    { key: '7,9', value: 1 },
  ]),
  mapLine('@off', []),
  eventLine('end', 901),
];

test('the profile of a command held at its entry combines both sessions, without the pause', () => {
  const { metadata, ebpf, account, quality } = profileOf(
    TAKE_OVER,
    { pids: [7], stacks: false },
    { mappings: new Map() },
  );
  expect(metadata).toMatchObject({ wall_time_ns: 800 - 110 - (400 - 230), processes: 1, threads: 1 });
  expect(ebpf.syscalls?.by_syscall).toEqual({ read: { count: 8 }, mmap: { count: 1 } });
  expect(ebpf.offcpu).toMatchObject({ total_time_ns: 170, total_events: 4, still_blocked: [] });
  expect(ebpf.offcpu?.thread_stats['7:7']).toMatchObject({
    ...{ count: 4, total_time_ns: 170, max_time_ns: 90, min_time_ns: 10, lifetime_ns: 520 },
  });
  expect(account).toMatchObject({
    ...{ threads: 1, threads_unknown: 0, thread_time_ns: 520, on_cpu_ns: 350, run_delay_ns: 6 },
    ...{ off_cpu_ns: { other: 170 }, miscounted_ns: 80 + 270 - 350, unaccounted_ns: 520 - 350 - 170 },
  });
  expect(quality).toMatchObject({ dropped_lines: 0, map_full: 0 });
});
