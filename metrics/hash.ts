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
