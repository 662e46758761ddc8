import { NumberTable } from '../parsers/number-table.ts';

const FNV_PRIME = 0x01000193;

/** A 32-bit hash of a list of numbers (FNV-1a). Text keys would cost more than everything else done with a stack. */
export function hashOf(numbers: readonly number[], begin = 0): number {
  let hash = begin;
  for (const number of numbers) hash = Math.imul(hash ^ number, FNV_PRIME);
  return hash;
}

/** The same hash for a text, of its UTF-16 units. */
export function hashOfText(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  return hash;
}

export function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((number, i) => number === b[i]);
}

/** Distinct items, in the order in which they first came. */
export interface Distinct<T> {
  readonly items: readonly T[];
  /** The index in `items` of the item that equals this one; a new item is added. */
  readonly indexOf: (item: T) => number;
}

/** @param hashOf returns a 32-bit number, the same for equal items */
export function distinct<T>(hashOf: (item: T) => number, areAlike: (a: T, b: T) => boolean): Distinct<T> {
  const items: T[] = [];
  const indexes = new NumberTable();
  const indexOf = (item: T): number => {
    let key = hashOf(item);
    for (let index = indexes.get(key); index !== undefined; index = indexes.get(key)) {
      if (areAlike(items[index] as T, item)) return index;
      key = (key + 1) | 0;
    }
    indexes.set(key, items.length);
    return items.push(item) - 1;
  };
  return { items, indexOf };
}
