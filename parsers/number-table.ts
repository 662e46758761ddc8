/** Odd, and its multiples are spread evenly over 32 bits (2^32 divided by the golden ratio). */
const SPREAD = 0x9e3779b1;
/** What a value is stored as is this much more: 0 is an empty place. */
const STORED = 2;

/**
 * A map from integers of 32 bits to integers of −1 and above, in one block of memory: millions of look-ups in a Map
 * wait for memory most of the time.
 */
export class NumberTable {
  size = 0;
  /** Keys and stored values in turn, a power of two of each, at most three quarters of them used. */
  #places = new Int32Array(2 * 64);
  #shift = 32 - 6;

  get(key: number): number | undefined {
    const stored = this.#places[this.#find(key) + 1] as number;
    return stored === 0 ? undefined : stored - STORED;
  }

  set(key: number, value: number): void {
    if (this.size * 8 >= this.#places.length * 3) this.#grow();
    const at = this.#find(key);
    if (this.#places[at + 1] === 0) this.size++;
    this.#places[at] = key;
    this.#places[at + 1] = value + STORED;
  }

  /** Where a key is, or would be. */
  #find(key: number): number {
    const places = this.#places;
    let at = (Math.imul(key, SPREAD) >>> this.#shift) * 2;
    while (places[at + 1] !== 0 && places[at] !== key) at = (at + 2) & (places.length - 1);
    return at;
  }

  #grow(): void {
    const earlier = this.#places;
    this.#places = new Int32Array(2 * earlier.length);
    this.#shift--;
    this.size = 0;
    for (let at = 0; at < earlier.length; at += 2) {
      const stored = earlier[at + 1] as number;
      if (stored !== 0) this.set(earlier[at] as number, stored - STORED);
    }
  }
}
