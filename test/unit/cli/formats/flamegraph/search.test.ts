import { describe, expect, it } from 'vitest';
import { matchedNs, patternOf, searchFor } from '../../../../../cli/formats/flamegraph/search.ts';
import { stackOf } from '../flame-frames.ts';
import { profileOf, treeOf } from './flame-profiles.ts';

describe('searchFor', () => {
  it('reads a regular expression and ignores case', () => {
    expect(searchFor('^FUTEX_(wait|wake)$')?.matches('futex_wait')).toBe(true);
    expect(searchFor('^wait')?.matches('futex_wait')).toBe(false);
  });

  it('searches literally for an invalid regular expression, and says so', () => {
    const search = searchFor('operator()(');
    expect(search?.plain).toBe(true);
    expect(search?.matches('Less::operator()(int)')).toBe(true);
  });

  it('is undefined for an empty text', () => {
    expect(searchFor('')).toBeUndefined();
  });
});

describe('patternOf', () => {
  it('matches exactly one name', () => {
    const name = 'std::vector<int>::operator[](unsigned long) const [clone .cold]';
    const search = searchFor(patternOf(name));
    expect(search?.plain).toBe(false);
    expect([name, `${name}x`, `x${name}`].map((text) => search?.matches(text))).toEqual([true, false, false]);
  });
});

describe('matchedNs', () => {
  it('counts nested matches once', () => {
    const profile = profileOf([stackOf('main lock lock', 5), stackOf('main lock', 6), stackOf('main', 89)]);
    const tree = treeOf(profile);
    expect(matchedNs(tree, (frame) => profile.frames[frame]?.name === 'lock')).toBe(11);
  });
});
