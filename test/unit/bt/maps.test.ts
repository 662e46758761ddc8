import { describe, expect, test } from 'vitest';
import { id, word } from '../../../bt/map-reader.ts';
import { counts, extremes, histogram, record, sums } from '../../../bt/maps.ts';
import { newAddresses } from '../../../metrics/addresses.ts';
import type { ReadableMap, ReadContext } from '../../../metrics/window.ts';
import type { MapEntry } from '../../../parsers/entries.ts';
import { sumEntry } from '../printed-lines.ts';

const addresses = newAddresses();
/** Threads 21 and 22 belong to process 20. */
const CONTEXT: ReadContext = {
  stacks: (text, pid, generation) => ({
    kernel: addresses.kernel(text.split(',')[0] ?? ''),
    user: addresses.user(text.split(',')[1] ?? '', pid as number, generation as number),
  }),
  ownerOf: (pid, tid) => (pid === tid && [21, 22].includes(tid) ? 20 : pid),
};

const entry = (key: string, value: unknown): MapEntry => ({ key, value });
const read = <Row>(map: ReadableMap<Row>, now: readonly MapEntry[], before?: readonly MapEntry[]) =>
  map.read(now, before, CONTEXT);

const KEY = { tid: id, pid: id };

describe('counts', () => {
  const map = counts('@calls', KEY);

  test('are read with the words of their keys', () => {
    expect(read(map, [entry('7,8', 23), entry('9,8', '1009')])).toEqual({
      rows: [
        { tid: 7, pid: 8, count: 23 },
        { tid: 9, pid: 8, count: 1009 },
      ],
      unreadable: 0,
    });
  });

  test('of an interval are what was added since the last print', () => {
    const before = [entry('7,8', 20), entry('9,8', 5), entry('1,8', 3)];
    const now = [entry('7,8', 23), entry('9,8', 5), entry('2,8', 11)];
    expect(read(map, now, before).rows).toEqual([
      { tid: 7, pid: 8, count: 3 },
      { tid: 2, pid: 8, count: 11 },
    ]);
  });

  test('with keys that print alike are separate rows, added up before the subtraction', () => {
    const now = [entry('7,8', 4), entry('7,8', 7)];
    expect(read(map, now).rows.map(({ count }) => count)).toEqual([4, 7]);
    expect(read(map, now, [entry('7,8', 5), entry('7,8', 3)]).rows).toEqual([{ tid: 7, pid: 8, count: 3 }]);
  });

  test('that are 0 or decreased are not rows', () => {
    expect(read(map, [entry('7,8', 0)])).toEqual({ rows: [], unreadable: 0 });
    expect(read(map, [entry('7,8', 2)], [entry('7,8', 5)])).toEqual({ rows: [], unreadable: 0 });
  });

  test.each([
    ['a key with fewer words', '7', 1],
    ['a key with more words', '7,8,9', 1],
    ['a word that is not a number', '7,x', 1],
    ['a word that is too long', '7,12345678901', 1],
    ['a negative word', '-7,8', 1],
    ['no key', '', 1],
    ['a value that is not a number', '7,8', 'x'],
    ['a value that is not JSON', '7,8', undefined],
    ['no value', '7,8', null],
  ])('are unreadable with %s', (_, key, value) => {
    const others = [entry('1,1', 5)];
    const rows = [{ tid: 1, pid: 1, count: 5 }];
    expect(read(map, [entry(key, value), ...others])).toEqual({ rows, unreadable: 1 });
    expect(read(map, [entry(key, value), ...others], [])).toEqual({ rows, unreadable: 1 });
  });

  test('of an interval include unreadable entries of keys that occur twice', () => {
    const now = [entry('7,8', null), entry('7,8', 9)];
    expect(read(map, now, [entry('7,8', 4)])).toEqual({
      rows: [{ tid: 7, pid: 8, count: 5 }],
      unreadable: 1,
    });
  });
});

describe('sums', () => {
  const map = sums('@waits', { tid: id, pid: id, generation: id }, { stacks: true, seeded: true });
  /** Printed by bpftrace 0.17 for a shell and its child, at both ends of an interval. */
  const BEFORE = [sumEntry('865,865,1', 1, 245376), sumEntry('866,865,1', 1, 326497)];
  const NOW = [
    sumEntry('1357,1357,1', 1, 7901),
    sumEntry('865,865,1', 2, 343963),
    sumEntry('866,865,1', 1, 326497),
    sumEntry('867,865,1', 1, 64210551),
  ];
  const sumsOf = (now: readonly MapEntry[], before?: readonly MapEntry[]) =>
    read(map, now, before).rows.map(({ tid, count, total }) => [tid, count, total]);

  test('have a count and a total time', () => {
    expect(sumsOf(NOW.slice(0, 2))).toEqual([
      [1357, 1, 7901],
      [865, 2, 343963],
    ]);
  });

  test('of an interval are those that are new or grew', () => {
    expect(sumsOf(NOW, BEFORE)).toEqual([
      [1357, 1, 7901],
      [865, 1, 98587],
      [867, 1, 64210551],
    ]);
    expect(sumsOf(NOW, NOW)).toEqual([]);
  });

  test('with keys that print alike lose no counts, in any order', () => {
    const earlier = [sumEntry('7,7,1,,', 3, 300), sumEntry('7,7,1,,', 5, 500)];
    const later = [sumEntry('7,7,1,,', 7, 700), sumEntry('7,7,1,,', 4, 400)];
    expect(sumsOf(later, earlier)).toEqual([[7, 3, 300]]);
  });

  test.each([
    ['a sum of nothing', { count: 0, average: 0, total: 0 }],
    ['a missing count', { total: 7 }],
    ['a missing total', { count: 7 }],
    ['a number', 7],
    ['null', null],
  ])('of %s are unreadable', (_, value) => {
    expect(read(map, [entry('7,7,1', value)])).toEqual({ rows: [], unreadable: 1 });
  });

  test('refer to their stacks by number, and rows share stacks', () => {
    const key = (tid: number) => `${tid},7,1,\nffffffff81000001\n,\n1100\n1200\n`;
    const [first, second] = read(map, [sumEntry(key(7), 1, 1), sumEntry(key(8), 1, 1)]).rows;
    expect(first?.user).toHaveLength(2);
    expect(first).toMatchObject({ kernel: second?.kernel, user: second?.user });
    expect(first?.user.map((id) => addresses.userAddresses[id]?.digits)).toEqual(['1100', '1200']);
  });

  test('of a thread that was named only by its tid belong to its process', () => {
    const rows = read(map, [
      sumEntry('21,21,1', 1, 5),
      sumEntry('22,20,1', 1, 5),
      sumEntry('23,23,1', 1, 5),
    ]).rows;
    expect(rows.map(({ tid, pid }) => [tid, pid])).toEqual([
      [21, 20],
      [22, 20],
      [23, 23],
    ]);
  });
});

describe('extremes', () => {
  const map = extremes('@slowest', KEY);

  test('have the largest value, even if it is 0', () => {
    expect(read(map, [entry('7,8', '40'), entry('9,8', 0), entry('x', 1)])).toEqual({
      rows: [
        { tid: 7, pid: 8, most: 40 },
        { tid: 9, pid: 8, most: 0 },
      ],
      unreadable: 1,
    });
  });

  test('are only known for the whole collection', () => {
    expect(map.wholeOnly).toBe(true);
    expect(counts('@calls', KEY).wholeOnly).toBe(false);
  });
});

describe('a histogram', () => {
  const map = histogram('@sizes', { pid: id });
  /** Printed by bpftrace: the bucket of negative values has no `min`, and the last may have no `max`. */
  const buckets = (...all: [min: number | null, max: number | null, count: number][]) =>
    all.map(([min, max, count]) => ({
      ...(min === null ? {} : { min }),
      ...(max === null ? {} : { max }),
      count,
    }));

  test('has its buckets, except empty ones', () => {
    const value = buckets([null, -1, 2], [0, 0, 3], [4, 7, 5], [8, 15, 0], [16, null, 1]);
    expect(read(map, [entry('7', value)]).rows).toEqual([
      {
        pid: 7,
        buckets: [
          { min: null, max: -1, count: 2 },
          { min: 0, max: 0, count: 3 },
          { min: 4, max: 7, count: 5 },
          { min: 16, max: null, count: 1 },
        ],
      },
    ]);
  });

  test('of an interval has what was added to each bucket', () => {
    const before = [entry('7', buckets([4, 7, 3], [8, 15, 2])), entry('8', buckets([4, 7, 1]))];
    const now = [entry('7', buckets([4, 7, 5], [8, 15, 2], [16, 31, 1])), entry('8', buckets([4, 7, 1]))];
    expect(read(map, now, before).rows).toEqual([
      {
        pid: 7,
        buckets: [
          { min: 4, max: 7, count: 2 },
          { min: 16, max: 31, count: 1 },
        ],
      },
    ]);
  });

  test.each([
    ['is not a list', 7],
    ['has a bucket that is null', [null]],
    ['has a bucket without a count', [{ min: 4, max: 7 }]],
  ])('is unreadable when it %s', (_, value) => {
    expect(read(map, [entry('7', value)])).toEqual({ rows: [], unreadable: 1 });
  });
});

describe('a record', () => {
  const map = record(
    '@off',
    { tid: id },
    { since: word, pid: id, generation: id },
    { role: 'leftover', stacks: true, seeded: true },
  );

  test('has named fields followed by stacks', () => {
    const [row] = read(map, [entry('7', [900, 7, 1, '\nffffffff81000001\n', '\n1100\n'])]).rows;
    expect(row).toMatchObject({ tid: 7, since: 900, pid: 7, generation: 1 });
    expect(row?.user.map((id) => addresses.userAddresses[id]?.digits)).toEqual(['1100']);
  });

  test('may lack stacks, and belongs to the process of its thread', () => {
    expect(read(map, [entry('21', [900, 21, 1])])).toEqual({
      rows: [{ tid: 21, since: 900, pid: 20, generation: 1, kernel: [], user: [] }],
      unreadable: 0,
    });
  });

  test.each([
    ['fewer fields', '7', [900, 7]],
    ['a field that is not a number', '7', [900, 'x', 1]],
    ['stacks that are neither text nor numbers', '7', [900, 7, 1, {}, []]],
    ['another key', '7,8', [900, 7, 1]],
    ['a number as its value', '7', 900],
    ['no value', '7', undefined],
  ])('is unreadable with %s', (_, key, value) => {
    expect(read(map, [entry(key, value), entry('8', [1, 8, 1])])).toMatchObject({
      ...{ rows: [{ tid: 8, since: 1 }], unreadable: 1 },
    });
  });

  test('without stacks ends with its fields', () => {
    const plain = record('@call', { tid: id }, { since: word }, { role: 'leftover' });
    expect(read(plain, [entry('7', [5]), entry('8', [5, '\n1100\n'])])).toEqual({
      rows: [{ tid: 7, since: 5 }],
      unreadable: 1,
    });
  });

  test('has the content of the map at the end, whatever was printed before', () => {
    expect(read(map, [entry('7', [900, 7, 1])], [entry('7', [100, 7, 1])]).rows).toMatchObject([
      { since: 900 },
    ]);
    expect(map.wholeOnly).toBe(true);
  });
});
