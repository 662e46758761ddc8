import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  chanceApart,
  compare,
  countOf,
  figureOf,
  overlap,
  single,
  sumOf,
  timeOf,
} from '../../../metrics/noise.ts';

const runs = (...values: number[]) => values.map(single);

describe('with one run on each side', () => {
  test.each([
    [1009, 1100, true, 'twice the root of 1009 + 1100 is 92'],
    [1009, 1102, false, 'and 93 is more'],
    [0, 4, true, 'four new events may be chance'],
    [0, 5, false, 'five are not'],
    [5, 0, false, 'neither are five missing ones'],
  ])('a count of %d and %d is noise: %s, because %s', (before, after, noise) => {
    expect(compare([countOf(before)], [countOf(after)]).noise).toBe(noise);
  });

  test('a sum of few waits has a large variance, a sum of many does not', () => {
    expect(compare([timeOf(1e9, 2)], [timeOf(3e9, 2)]).noise).toBe(true);
    expect(compare([timeOf(1e9, 1009)], [timeOf(1.3e9, 1009)]).noise).toBe(false);
    expect(compare([timeOf(1e9, 1009)], [timeOf(1.1e9, 1009)]).noise).toBe(true);
  });

  test('the variance of a sum of exponential waits is that of a compound Poisson process', () => {
    expect(timeOf(23e6, 23).variance).toBeCloseTo(23 * 2 * 1e6 ** 2);
    expect(timeOf(0, 0).variance).toBe(0);
  });

  test('one long wait has a large variance if it is separate from many short ones', () => {
    const sides = (long: number) => sumOf([timeOf(long, 1), timeOf(1e6, 1009)]);
    expect(compare([sides(1e9)], [sides(1.5e9)]).noise).toBe(true);
    expect(compare([timeOf(1.001e9, 1010)], [timeOf(1.501e9, 1010)]).noise).toBe(false);
    expect(sumOf([timeOf(2, 1), single(3)])).toEqual({ value: 5, variance: undefined });
    expect(sumOf([])).toEqual({ value: 0, variance: 0 });
  });

  test('the variance of a figure that is not a sum of events is unknown', () => {
    expect(compare([single(2)], [single(3)]).noise).toBeNull();
    expect(compare([timeOf(7, 0)], [timeOf(9, 3)]).noise).toBeNull();
    expect(compare([single(2)], [single(2)]).noise).toBe(true);
  });

  test('event counts also decide if only one side has several runs', () => {
    expect(compare([countOf(100)], [countOf(110), countOf(111)]).noise).toBe(true);
    expect(compare([countOf(100)], [countOf(200), countOf(201)]).noise).toBe(false);
  });
});

describe('with several runs on each side', () => {
  test('a change is more than chance if the ranges do not overlap', () => {
    expect(compare(runs(1, 2, 3), runs(4, 5, 6)).noise).toBe(false);
    expect(compare(runs(1, 2, 4), runs(4, 5, 6)).noise).toBe(true);
    expect(compare(runs(4, 5, 6), runs(1, 2, 3)).noise).toBe(false);
  });

  test('figures are the median, minimum and maximum', () => {
    expect(figureOf(runs(9, 1, 5))).toEqual({ median: 5, min: 1, max: 9 });
    expect(figureOf(runs(4, 1))).toEqual({ median: 2.5, min: 1, max: 4 });
    expect(compare(runs(2, 4, 3), runs(7, 6, 6))).toMatchObject({ change: 3, relative: 1 });
  });

  test('ranges that touch overlap', () => {
    expect(overlap(figureOf(runs(1, 3)), figureOf(runs(3, 4)))).toBe(true);
    expect(overlap(figureOf(runs(1, 3)), figureOf(runs(4, 5)))).toBe(false);
  });

  test('the probability of separate ranges by chance is known', () => {
    expect(chanceApart(2, 2)).toBeCloseTo(1 / 3);
    expect(chanceApart(3, 3)).toBeCloseTo(0.1);
    expect(chanceApart(4, 4)).toBeCloseTo(2 / 70);
    expect(chanceApart(2, 5)).toBeCloseTo(chanceApart(5, 2));
  });
});

test('a share of zero is undefined', () => {
  expect(compare([countOf(0)], [countOf(9)]).relative).toBeNull();
  expect(compare([single(-5)], [single(9)])).toMatchObject({ relative: null, change: 14 });
  expect(compare([countOf(9)], [countOf(0)]).relative).toBe(-1);
});

test('swapping the sides negates the change and keeps the judgement', () => {
  const side = fc.array(fc.nat({ max: 1e6 }).map(countOf), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(side, side, (a, b) => {
      const [there, back] = [compare(a, b), compare(b, a)];
      expect(there.change + back.change).toBe(0);
      expect(there.noise).toBe(back.noise);
      expect(there.before).toEqual(back.after);
    }),
  );
});
