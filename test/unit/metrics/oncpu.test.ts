import { describe, expect, test } from 'vitest';
import { addressSpaces, newFrameTable } from '../../../metrics/frames.ts';
import { decodeSpaces } from '../../../metrics/mappings.ts';
import { oncpuMetrics, samplesBetween } from '../../../metrics/oncpu.ts';

const CODE = '1000-2000 r-xp 00000000 fe:00 7 /bin/a';
const NOTHING = { kernel: () => undefined, user: () => undefined, jit: () => undefined };
const SYMBOLS = { ...NOTHING, frameless: () => false, buildId: () => 'ab' };

function metricsOf(rows: readonly (readonly [string, number])[], stacks = true) {
  const frames = newFrameTable(addressSpaces(decodeSpaces({ '5:1': CODE })), SYMBOLS);
  const entries = rows.map(([key, value]) => ({ key, value }));
  return oncpuMetrics(entries, frames, { comms: new Map([[6, 'worker']]), stacks, numbered: new Map() });
}

describe('samples', () => {
  const ROWS = [
    ['5,5,1,,\n1100\n', 3],
    ['6,5,1,\nffffffff81000001\n,\n1100\n', 29],
    ['6,5,1,\nffffffff81000001\n,\n1100\n7f0000000000\n', 2],
  ] as const;
  const { metrics, unreadable, stacksMissing, framesCut } = metricsOf(ROWS);

  test('are added up by thread and stack, the most first', () => {
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

  test('stand for the time between two of them', () => {
    expect(metrics).toMatchObject({ frequency_hz: 99, total_samples: 34, total_time_ns: 34 * 10_101_010 });
  });

  test('have frames of their own, in mappings', () => {
    expect(metrics.frames.map(({ address, module }) => [address, module])).toEqual([
      ['0x1100', '/bin/a'],
      ['0xffffffff81000001', '[kernel]'],
    ]);
    expect(metrics.mappings).toEqual([
      { start: '0x1000', end: '0x2000', file_offset: 0, path: '/bin/a', build_id: 'ab' },
    ]);
    expect([unreadable, stacksMissing, framesCut]).toEqual([0, 0, 1]);
  });

  test('without any stack are counted as such, if stacks were asked for', () => {
    expect(metricsOf([['5,5,1,,', 7]])).toMatchObject({ stacksMissing: 7, unreadable: 0 });
    expect(metricsOf([['5,5,1', 7]], false)).toMatchObject({ stacksMissing: 0 });
  });

  test('that cannot be read are counted', () => {
    expect(metricsOf([['5,5', 7]])).toMatchObject({ unreadable: 1, metrics: { total_samples: 0 } });
  });
});

test('an interval has what came since the last print, of keys that print alike together', () => {
  const at = (key: string, value: number) => ({ key, value });
  const before = [at('5,5,1', 4), at('6,5,1', 2), at('6,5,1', 3)];
  const now = [at('6,5,1', 5), at('6,5,1', 3), at('5,5,1', 4), at('7,5,1', 1)];
  expect(samplesBetween(now, before)).toEqual([at('6,5,1', 3), at('7,5,1', 1)]);
});
