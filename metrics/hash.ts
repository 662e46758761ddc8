const FNV_PRIME = 0x01000193;

/** A number of 32 bits that equal lists of numbers share (FNV-1a). Keys of text would take longer than all else about a stack. */
export function hashOf(numbers: readonly number[], begin = 0): number {
  let hash = begin;
  for (const number of numbers) hash = Math.imul(hash ^ number, FNV_PRIME);
  return hash;
}

export function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((number, i) => number === b[i]);
}

/**
 * Finds the first of all items so far that an item is like.
 *
 * @param hashOf the same for items that are alike
 * @returns says for an item the first that was like it, which may be itself
 */
export function firstAlike<T>(
  hashOf: (item: T) => number,
  areAlike: (a: T, b: T) => boolean,
): (item: T) => T {
  const firsts = new Map<number, T[]>();
  return (item) => {
    const hash = hashOf(item);
    const sameHash = firsts.get(hash);
    const first = sameHash?.find((other) => areAlike(other, item));
    if (first !== undefined) return first;
    if (sameHash) sameHash.push(item);
    else firsts.set(hash, [item]);
    return item;
  };
}
