import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fileOffsetToVaddr, readElf } from '../../../parsers/elf.ts';
import { readFunctions } from '../../../parsers/elf-symbols.ts';
import { readGoFunctions } from '../../../parsers/gopclntab.ts';
import { attempts } from '../../effort.ts';
import { memorySource } from './elf-files.ts';
import { FULL_FILES } from './elf-samples.ts';

/** Numbers at limits, and far beyond all limits. */
const NUMBERS = [
  0n,
  1n,
  2n,
  7n,
  8n,
  0x80n,
  0xffn,
  0xff00n,
  0xffffn,
  0x10000n,
  0x1000n,
  0x22000n,
  2n ** 31n,
].concat([
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 52n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 60n,
  2n ** 63n,
  2n ** 64n - 1n,
]);

/** A position in the whole file, in its header, or in its last part with the section headers. */
const place = fc.record({
  part: fc.constantFrom<readonly [number, number]>([0, 1], [0, 0.02], [0.3, 1]),
  /** In millionths. Small values are not preferred, because the magic number is at 0. */
  share: fc.noBias(fc.nat(999_999)),
});
type Place = typeof place extends fc.Arbitrary<infer T> ? T : never;
const width = fc.constantFrom(2, 4, 8);
const change = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('byte' as const), place, value: fc.nat(255) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('number' as const),
      place,
      width,
      value: fc.constantFrom(...NUMBERS),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('number' as const), place, width, value: fc.bigInt(0n, 40n) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('fill' as const),
      place,
      length: fc.nat(200),
      value: fc.nat(255),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('copy' as const), place, from: place, length: fc.nat(130) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), place }) },
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

function offsetOf({ part: [from, to], share }: Place, length: number, unit: number): number {
  const offset = Math.floor((from + (share / 1e6) * (to - from)) * length);
  return offset - (offset % unit);
}

function changed(original: Buffer, changes: readonly Change[]): Buffer {
  let bytes = Buffer.from(original);
  for (const edit of changes) {
    const unit = edit.kind === 'number' ? Math.min(edit.width, 4) : 1;
    const at = offsetOf(edit.place, bytes.length, unit);
    if (edit.kind === 'cut') bytes = bytes.subarray(0, at);
    else if (edit.kind === 'byte') bytes[at] = edit.value;
    else if (edit.kind === 'fill') bytes.fill(edit.value, at, Math.min(at + edit.length, bytes.length));
    else if (edit.kind === 'copy') {
      const from = offsetOf(edit.from, bytes.length, 1);
      bytes.copy(bytes, at, from, Math.min(from + edit.length, bytes.length));
    } else {
      const word = Buffer.alloc(8);
      word.writeBigUInt64LE(edit.value);
      word.copy(bytes, at, 0, edit.width);
    }
  }
  return bytes;
}

/** Words of errors that were not written for people. */
const SURPRISE =
  /undefined|null|NaN|Error|is not (a function|defined|iterable|an object)|Cannot|Invalid|out of range|Offset/;

/** Reads everything and returns the number of names found. */
function readEverything(bytes: Buffer): number {
  const source = memorySource(bytes);
  const elf = readElf(source);
  if ('problem' in elf) return 0;
  const tables = [readFunctions(source, elf), readGoFunctions(source, elf)];
  const places = [...elf.sections, ...elf.segments.map(({ vaddr: addr, memSize: size }) => ({ addr, size }))];
  const edges = places.flatMap(({ addr, size }) => [
    addr - 1,
    addr,
    addr + 1,
    addr + 16,
    addr + size - 1,
    addr + size,
  ]);
  const addresses = new Set([...edges, elf.entry, -1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]);
  let found = 0;
  for (const table of tables)
    for (const at of addresses) {
      const is = table.find(at);
      if (!is) continue;
      found++;
      const { name, start, size } = is;
      if (
        !(
          start <= at &&
          at < start + size &&
          name.length > 0 &&
          name.length <= 4100 &&
          Number.isSafeInteger(start)
        )
      )
        throw new Error(`${at} is in ${JSON.stringify(is)}`);
    }
  for (const offset of addresses) fileOffsetToVaddr(elf, offset);
  const held = tables.reduce((sum, table) => sum + table.bytes, 0);
  if (held > 40 * bytes.length) throw new Error(`${held} bytes are held, of ${bytes.length}`);
  if (source.reads.bytes > 20 * bytes.length + 1000)
    throw new Error(`${source.reads.bytes} bytes are read, of ${bytes.length}`);
  const problems = [...elf.problems, ...tables.flatMap((table) => table.problems)];
  const surprise = problems.find((problem) => SURPRISE.test(problem));
  if (surprise) throw new Error(surprise);
  return found;
}

test('intact files are read without problems', () => {
  for (const file of FULL_FILES) {
    const elf = readElf(memorySource(file));
    if ('problem' in elf) throw new Error(elf.problem);
    const source = memorySource(file);
    expect([
      ...elf.problems,
      ...readFunctions(source, elf).problems,
      ...readGoFunctions(source, elf).problems,
    ]).toEqual([]);
    expect(readGoFunctions(source, elf).find(0x1000)?.name).toBe('main.main');
    expect(readEverything(file)).toBeGreaterThan(5);
  }
});

/** Files to mutate. At least a third of the mutated ones must still have names. */
const CHANGED = attempts(1000, 20_000);

test('a file mutated anywhere is harmless', { timeout: 600_000 }, () => {
  let named = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...FULL_FILES),
      fc.array(change, { minLength: 1, maxLength: 4 }),
      (file, changes) => {
        if (readEverything(changed(file, changes)) > 0) named++;
      },
    ),
    { numRuns: CHANGED },
  );
  // Otherwise most mutations would only test the first check of the header.
  expect(named).toBeGreaterThan(0.35 * CHANGED);
});

test('a file truncated anywhere is harmless', { timeout: 600_000 }, () => {
  for (const file of FULL_FILES)
    for (let length = 0; length < file.length; length++) readEverything(file.subarray(0, length));
});

test('random bytes are harmless', { timeout: 600_000 }, () => {
  const header = FULL_FILES[0] as Buffer;
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 100, maxLength: 2000 }),
      fc.integer({ min: 0, max: 64 }),
      (bytes, kept) => {
        readEverything(Buffer.concat([header.subarray(0, kept), bytes.subarray(kept)]));
      },
    ),
    { numRuns: attempts(200, 2000) },
  );
});

test('a source that fails or returns too few bytes is harmless', { timeout: 600_000 }, () => {
  for (const file of FULL_FILES)
    for (let good = 0; good < 40; good++)
      for (const failure of [
        () => {
          throw new Error('EIO');
        },
        () => Buffer.alloc(0),
        () => file.subarray(0, 3),
      ]) {
        const whole = memorySource(file);
        let reads = 0;
        const source = {
          size: file.length,
          read: (offset: number, length: number) => (reads++ < good ? whole.read(offset, length) : failure()),
        };
        const elf = readElf(source);
        if ('problem' in elf) continue;
        readFunctions(source, elf).find(0x1000);
        readGoFunctions(source, elf).find(0x1000);
      }
});
