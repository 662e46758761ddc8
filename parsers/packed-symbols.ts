import { textAt } from './elf-bytes.ts';
import { inOrder, type SymbolPart, type SymbolTable, symbolTable } from './symbol-table.ts';

/** Change this with the format, and whenever the same file would give other names. */
const MAGIC = 'btprof symbols 2\n';
const HEAD_BYTES = 32;
/** Bytes of a range: its start, and four columns of 32 bits. */
const RANGE_BYTES = 24;

/**
 * Packs the symbol tables of one file into bytes for the cache. Problems are not packed.
 *
 * ```
 * magic, number of parts           32 bytes
 * for each part: index of its table, ranges, bytes of names, 0       4 times 32 bits
 *   starts (64-bit floats), lengths, before, sizes, positions (32 bits each); names, each ended by NUL, up to 8 bytes
 * ```
 */
export function packSymbols(tables: readonly SymbolTable[]): Buffer {
  const parts = tables.flatMap(({ parts }, table) => parts.map((part) => packPart(part, table)));
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(MAGIC);
  head.writeUInt32LE(parts.length, HEAD_BYTES - 4);
  return Buffer.concat([head, ...parts]);
}

function packPart({ ranges, names }: SymbolPart, table: number): Buffer {
  const { text, positions } = packNames(ranges.positions, names);
  const head = Uint32Array.of(table, positions.length, text.length, 0);
  const { starts, lengths, before, sizes } = ranges;
  const columns = [head, starts, lengths, before, sizes, positions];
  return Buffer.concat([...columns.map(bytesOf), text]);
}

/** Packs each name once. */
function packNames(positions: Uint32Array, names: SymbolPart['names']) {
  const packedAt = new Map<number, number>();
  const texts: Buffer[] = [];
  let end = 0;
  const packed = positions.map((position) => {
    const known = packedAt.get(position);
    if (known !== undefined) return known;
    const text = Buffer.from(`${names.nameAt(position) ?? ''}\0`);
    texts.push(text);
    packedAt.set(position, end);
    end += text.length;
    return end - text.length;
  });
  texts.push(Buffer.alloc((8 - (end % 8)) % 8));
  return { positions: packed, text: Buffer.concat(texts) };
}

function bytesOf(column: Float64Array | Uint32Array): Buffer {
  return Buffer.from(column.buffer, column.byteOffset, column.byteLength);
}

/** @returns undefined for bytes that are incomplete or have another format */
export function unpackSymbols(bytes: Buffer): SymbolTable[] | undefined {
  if (bytes.length < HEAD_BYTES || !bytes.subarray(0, MAGIC.length).equals(Buffer.from(MAGIC)))
    return undefined;
  // Typed arrays must begin at multiples of 8, and in a copy they do.
  const copy = new Uint8Array(bytes).buffer;
  const tables: SymbolTable[][] = [];
  let at = HEAD_BYTES;
  for (let left = bytes.readUInt32LE(HEAD_BYTES - 4); left > 0; left--) {
    if (at + 16 > copy.byteLength) return undefined;
    const [table, count, textBytes] = new Uint32Array(copy, at, 4) as unknown as [number, number, number];
    const end = at + 16 + count * RANGE_BYTES + textBytes;
    if (end > copy.byteLength || textBytes % 8 !== 0 || table > tables.length) return undefined;
    const parts = tables[table] ?? [];
    tables[table] = parts;
    parts.push(symbolTable(unpackPart(copy, at + 16, count, textBytes), []));
    at = end;
  }
  return at === copy.byteLength ? tables.map(inOrder) : undefined;
}

function unpackPart(copy: ArrayBuffer, start: number, count: number, textBytes: number): SymbolPart {
  const column = (index: number) => new Uint32Array(copy, start + count * (8 + 4 * index), count);
  const text = Buffer.from(copy, start + count * RANGE_BYTES, textBytes);
  const nameAt = (position: number) => textAt(text, position, textBytes) || undefined;
  return {
    ranges: {
      starts: new Float64Array(copy, start, count),
      lengths: column(0),
      before: column(1),
      sizes: column(2),
      positions: column(3),
    },
    names: { nameAt, bytes: textBytes },
  };
}
