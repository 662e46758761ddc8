import { describe, expect, test } from 'vitest';
import { bar, clip, type Look, padEnd, printPage, table, wrap } from '../../../cli/page.ts';

const LOOK: Look = { columns: 30, colours: false, ascii: false };

describe('a table', () => {
  test('aligns numbers to the right and cuts the last column at the end of the line', () => {
    expect(
      table(
        ['n', 'what'],
        [
          ['1', 'a'],
          ['1,009', 'b'.repeat(40)],
        ],
        LOOK,
      ),
    ).toEqual(['      n  what', '      1  a', `  1,009  ${'b'.repeat(20)}…`]);
  });

  test('counts two columns for a wide character', () => {
    expect(table(['名前', 'x'], [['世', '界'.repeat(20)]], LOOK)).toEqual([
      '  名前  x',
      `    世  ${'界'.repeat(10)}…`,
    ]);
  });

  test('always leaves space for the last column', () => {
    expect(table(['n', 'name'], [['1'.repeat(40), 'clock_nanosleep']], LOOK)[1]).toMatch(
      /1 {2}clock_nanosleep$/,
    );
  });

  test('has a coloured heading only if colours are on', () => {
    expect(table(['n'], [['1']], { ...LOOK, colours: true })[0]).toBe('\u001b[2m  n\u001b[22m');
  });
});

describe('text', () => {
  test.each([
    ['fits', 4, 'fits'],
    ['does not', 4, 'doe…'],
    ['世界', 4, '世界'],
    ['世界世', 4, '世…'],
    ['👩‍👩‍👧x', 2, '…'],
  ])('%s in %i columns is %s', (text, columns, expected) => {
    expect(clip(text, columns)).toBe(expected);
  });

  test('is padded by its width on the screen', () => {
    expect(padEnd('世', 4)).toBe('世  ');
  });

  test('is wrapped between words', () => {
    expect(wrap('one two three fourteen', 8)).toEqual(['one two', '  three', '  fourteen']);
    expect(wrap('  one two', 6)).toEqual(['  one', '    two']);
    expect(wrap('', 8)).toEqual(['']);
    expect(wrap('overhead 2.9 % in 12 sets', 12)).toEqual(['overhead', '  2.9 % in', '  12 sets']);
    expect(wrap('took 12 µs, 3 MB', 8)).toEqual(['took', '  12 µs,', '  3 MB']);
  });
});

describe('a bar', () => {
  test.each([
    [0, ''],
    [0.01, '▏'],
    [0.1, '▊'],
    [0.5, '████'],
    [1, '████████'],
    [1.5, '████████'],
    [-1, ''],
  ])('has a length for the share %d', (share, expected) => {
    expect(bar(share, 8, LOOK)).toBe(expected);
  });

  test('has an ASCII form', () => {
    expect(bar(0.55, 10, { ...LOOK, ascii: true })).toBe('######');
  });
});

test('an ASCII page has only ASCII characters', () => {
  expect(printPage([['3 µs', 'x…'], ['世界 café']], { ...LOOK, ascii: true })).toBe('3 us\nx~\n\n?? caf?\n');
});
