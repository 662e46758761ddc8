import { describe, expect, test } from 'vitest';
import type { Oncpu } from '../../../../bt/profilers/oncpu.ts';
import { decodeSpaces } from '../../../../metrics/mappings.ts';
import type { MapEntry } from '../../../../parsers/entries.ts';
import { eventLine, mapLine } from '../../printed-lines.ts';
import { profileOf, recorderOf, sampleOf } from '../../sleep-recording.ts';

const CODE = '1000-2000 r-xp 00000000 fe:00 7 /bin/a';
const FACTS = { mode: 'attach', pids: [5], profilers: ['oncpu'] } as const;

function metricsOf(rows: readonly (readonly [string, number])[], stacks = true) {
  const entries = rows.map(([key, value]) => ({ key, value }));
  const { ebpf, quality } = profileOf(
    [eventLine('stop', 1000), mapLine('@oncpu', entries)],
    { ...FACTS, stacks },
    {
      alive: [{ pid: 5, tid: 6, comm: 'worker', state: 'S' }],
      mappings: decodeSpaces({ '5:1': CODE }),
    },
    { kernel: () => undefined, user: () => undefined, buildId: () => 'ab' },
  );
  const { dropped_lines: unreadable, stacks_missing, frames_cut } = quality;
  return { metrics: ebpf.oncpu as Oncpu, unreadable, stacks_missing, frames_cut };
}

describe('samples', () => {
  const ROWS = [
    ['5,5,1,,\n1100\n', 3],
    ['6,5,1,\nffffffff81000001\n,\n1100\n', 29],
    ['6,5,1,\nffffffff81000001\n,\n1100\n7f0000000000\n', 2],
  ] as const;
  const { metrics, unreadable, stacks_missing, frames_cut } = metricsOf(ROWS);

  test('are summed by thread and stack, most samples first', () => {
    expect(metrics.stacks.map(({ pid, tid, count, user_cut }) => [pid, tid, count, user_cut])).toEqual([
      [5, 6, 29, 0],
      [5, 5, 3, 0],
      [5, 6, 2, 1],
    ]);
    expect(metrics.thread_stats).toEqual({
      '5:6': { tid: 6, comm: 'worker', samples: 31 },
      '5:5': { tid: 5, comm: null, samples: 3 },
    });
  });

  test('each count for the time until the next', () => {
    expect(metrics).toMatchObject({ frequency_hz: 99, total_samples: 34, total_time_ns: 34 * 10_101_010 });
  });

  test('have their own frames and mappings', () => {
    expect(metrics.frames.map(({ address, module }) => [address, module])).toEqual([
      ['0x1100', '/bin/a'],
      ['0xffffffff81000001', '[kernel]'],
    ]);
    expect(metrics.mappings).toEqual([
      { start: '0x1000', end: '0x2000', file_offset: 0, path: '/bin/a', build_id: 'ab' },
    ]);
    expect([unreadable, stacks_missing, frames_cut]).toEqual([0, 0, 1]);
  });

  test('without any stack are counted, if stacks were requested', () => {
    expect(metricsOf([['5,5,1,,', 7]])).toMatchObject({ stacks_missing: 7, unreadable: 0 });
    expect(metricsOf([['5,5,1', 7]], false)).toMatchObject({ stacks_missing: 0 });
  });

  test('that cannot be read are counted', () => {
    expect(metricsOf([['5,5', 7]])).toMatchObject({ unreadable: 1, metrics: { total_samples: 0 } });
  });
});

test('of an interval are those since the last print, and keys that print alike are summed', () => {
  const at = (key: string, value: number): MapEntry => ({ key, value });
  const print = (entries: readonly MapEntry[]) => [mapLine('@oncpu', entries), eventLine('tock', 7)];
  const before = [at('5,5,1', 4), at('6,5,1', 2), at('6,5,1', 3)];
  const now = [at('6,5,1', 5), at('6,5,1', 3), at('5,5,1', 4), at('7,5,1', 1)];
  const earlier = { maps: recorderOf(print(before)).sessions[0]?.maps ?? new Map(), at: 5 };
  const { ebpf } = sampleOf(print(now), earlier, { ...FACTS, stacks: false });
  expect(ebpf.oncpu?.stacks.map(({ tid, count }) => [tid, count])).toEqual([
    [6, 3],
    [7, 1],
  ]);
});
