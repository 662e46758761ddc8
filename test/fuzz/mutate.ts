/** Texts and numbers at which readers stumble. */
const TOKENS = [
  ...[
    '',
    '\0',
    '\n',
    '"',
    '\\',
    '[',
    ']',
    '{',
    '}',
    ',',
    ':',
    ' ',
    '-',
    '0x',
    '%s',
    '__proto__',
    '\ud800',
    '\u2028',
  ],
  ...['-1', '0', '1e999', '4294967296', '9007199254740993', '18446744073709551616', 'ffffffffffffffff'],
].map((text) => Buffer.from(text));
const WORDS = [
  0n,
  1n,
  0x7fn,
  0xffn,
  0xffffn,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];
const MOST_CHANGES = 8;
/** Inputs do not grow beyond this, or attempts become slow. */
const LARGEST = 256 * 1024;

/**
 * Changes a few places of an input.
 *
 * @param random numbers from 0 to 1
 * @param others inputs from which parts are taken
 */
export function mutate(input: Buffer, random: () => number, others: readonly Buffer[]): Buffer {
  let bytes: Buffer = Buffer.from(input);
  const changes = 1 + Math.floor(random() * MOST_CHANGES);
  for (let i = 0; i < changes; i++) bytes = changed(bytes, random, others).subarray(0, LARGEST);
  return bytes;
}

function changed(bytes: Buffer, random: () => number, others: readonly Buffer[]): Buffer {
  const below = (limit: number) => Math.floor(random() * limit);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const at = below(bytes.length + 1);
  const length = below(Math.min(64, bytes.length - at + 1));
  const replaced = (part: Uint8Array, dropped: number) =>
    Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at + dropped)]);
  switch (below(7)) {
    case 0: {
      if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << below(8));
      return bytes;
    }
    case 1:
      return bytes.subarray(0, at);
    case 2:
      return replaced(Buffer.alloc(0), length);
    case 3:
      return replaced(bytes.subarray(at, at + length), 0);
    case 4:
      return replaced(pick(TOKENS), below(8));
    case 5: {
      const word = Buffer.alloc(8);
      word.writeBigUInt64LE(pick(WORDS));
      const width = pick([1, 2, 4, 8]);
      return replaced(word.subarray(0, width), width);
    }
    default: {
      const other = pick(others);
      const from = below(other.length);
      return replaced(other.subarray(from, from + below(256)), length);
    }
  }
}
