import { NumberTable } from '../parsers/number-table.ts';

const FNV_PRIME = 0x01000193;

/** A number of 32 bits that equal lists of numbers share (FNV-1a). Keys of text would take longer than all else about a stack. */
export function hashOf(numbers: readonly number[], begin = 0): number {
  let hash = begin;
  for (const number of numbers) hash = Math.imul(hash ^ number, FNV_PRIME);
  return hash;
}

/** As `hashOf`, of the UTF-16 units of a text. */
export function hashOfText(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  return hash;
}

export function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((number, i) => number === b[i]);
}

/** Different items, in the order in which they came. */
export interface Distinct<T> {
  readonly items: readonly T[];
  /** The number of the item that this one is like, among `items`: a new one when there was none. */
  readonly indexOf: (item: T) => number;
}

/** @param hashOf a number of 32 bits, the same for items that are alike */
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
