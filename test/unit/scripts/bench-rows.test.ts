import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { judgeChange, keep, type Result, reached, rowOf, tableOf } from '../../../scripts/bench/rows.ts';

const OF = { measure: 'time added', bpftrace: '0.27', peer: 'strace', aim: 0.5 };
const ns = (n: number) => `${n} ns`;
/** A row with a peer that takes 100 ns in each turn. */
const row = (...ours: number[]) =>
  rowOf(
    OF,
    ours,
    ours.map(() => 100),
    ns,
  );
const MISSING: Result = { ...OF, reason: 'it is not installed' };

describe('a row', () => {
  test("has the median of the turns' ratios, and reaches its aim or not", () => {
    const text = tableOf([row(40, 30, 90), row(60, 50, 70)]);
    expect(text).toMatch(/\| 40 ns +\| 100 ns \| 0.40 +\| 0.30 to 0.90 \| 0.50 +\|/);
    expect(text).toMatch(/\| 60 ns +\| 100 ns \| 0.60 +\| 0.50 to 0.70 \| 0.50 \(missed\) \|/);
    expect([row(40, 30, 90), row(60, 50, 70)].map(reached)).toEqual([true, false]);
  });

  test('has no ratio if noise is larger than the figure', () => {
    const noisy = [row(-1, 30, 40), rowOf(OF, [30, 30, 30], [100, -100, 100], ns), rowOf(OF, [1], [0], ns)];
    expect(noisy.map(reached)).toEqual([false, false, false]);
    expect(tableOf(noisy).match(/too noisy/g)).toHaveLength(3);
  });

  test('of a peer that cannot run has a reason instead', () => {
    expect(tableOf([MISSING])).toContain('cannot run here: it is not installed');
  });
});

describe('a change', () => {
  const directory = mkdtempSync(join(tmpdir(), 'btprof-rows-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'kept.json');
  const judge = (now: readonly Result[], machine = 'this one') => judgeChange(now, machine, file);
  keep([row(40, 38, 42, 39, 41)], 'this one', file);

  test('within the spread of the turns does not count, and less is better', () => {
    expect(judge([row(42, 38, 46, 40, 44)])).toEqual([]);
    expect(judge([row(20, 20, 20, 20, 20)])).toEqual([]);
  });

  test('beyond the spread counts, whatever the worst turn was', () => {
    expect(judge([row(46, 45, 47, 46, 900)])).toEqual([
      'worse than before: time added; 0.27; strace: 0.46, and was 0.40; the turns differ by 0.010',
    ]);
  });

  test('of a row that was not measured is unknown', () => {
    const name = 'not measured: time added; 0.27; strace';
    expect(judge([])).toEqual([name]);
    expect(judge([MISSING])).toEqual([`${name}: it is not installed`]);
    expect(judge([row(-1, 30, 40)])).toEqual([`${name}: too noisy on this machine`]);
  });

  test('on another machine may be caused by that machine', () => {
    expect(judge([row(60, 60, 60)], 'that one').at(-1)).toBe(
      'the committed ratios are of another machine, this one; this one is that one',
    );
  });
});
