/** An odd number whose multiples spread evenly over 32 bits (2^32 divided by the golden ratio). */
const SPREAD = 0x9e3779b1;
/** Added to each stored value, because 0 marks an empty slot. */
const STORED = 2;

/**
 * A map from 32-bit integers to integers from −1 up, in one block of memory. With a `Map`, millions of look-ups spend most
 * of their time waiting for memory.
 */
export class NumberTable {
  size = 0;
  /** Keys and stored values alternate; there is a power of two of each, and at most three quarters are used. */
  #slots = new Int32Array(2 * 64);
  #shift = 32 - 6;

  get(key: number): number | undefined {
    const stored = this.#slots[this.#find(key) + 1] as number;
    return stored === 0 ? undefined : stored - STORED;
  }

  set(key: number, value: number): void {
    if (this.size * 8 >= this.#slots.length * 3) this.#grow();
    const at = this.#find(key);
    if (this.#slots[at + 1] === 0) this.size++;
    this.#slots[at] = key;
    this.#slots[at + 1] = value + STORED;
  }

  /** Index of the slot that has the key, or where it would go. */
  #find(key: number): number {
    const slots = this.#slots;
    let at = (Math.imul(key, SPREAD) >>> this.#shift) * 2;
    while (slots[at + 1] !== 0 && slots[at] !== key) at = (at + 2) & (slots.length - 1);
    return at;
  }

  #grow(): void {
    const earlier = this.#slots;
    this.#slots = new Int32Array(2 * earlier.length);
    this.#shift--;
    this.size = 0;
    for (let at = 0; at < earlier.length; at += 2) {
      const stored = earlier[at + 1] as number;
      if (stored !== 0) this.set(earlier[at] as number, stored - STORED);
    }
  }
}
