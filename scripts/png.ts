import { crc32, deflateSync, inflateSync } from 'node:zlib';

/** A PNG in 24-bit colour and without interlacing, as Chromium writes it, about a third smaller. */
export function repackedPng(png: Buffer): Buffer {
  const chunks = [...chunksOf(png)];
  const header = chunks.find(({ type }) => type === 'IHDR')?.data as Buffer;
  const packed = chunks.filter(({ type }) => type === 'IDAT').map(({ data }) => data);
  const rows = unfiltered(inflateSync(Buffer.concat(packed)), header.readUInt32BE(0) * 3);
  return Buffer.concat([
    png.subarray(0, 8),
    chunkBytes('IHDR', header),
    // Flat areas and text repeat best as they are.
    chunkBytes('IDAT', deflateSync(Buffer.concat(rows.flatMap((row) => [NO_FILTER, row])), { level: 9 })),
    chunkBytes('IEND', Buffer.alloc(0)),
  ]);
}

const NO_FILTER = Buffer.from([0]);
/** Bytes of a pixel. */
const PIXEL = 3;

function* chunksOf(png: Buffer): Generator<{ type: string; data: Buffer }> {
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    yield { type: png.toString('latin1', at + 4, at + 8), data: png.subarray(at + 8, at + 8 + length) };
    at += 12 + length;
  }
}

/** Rows of colours: https://www.w3.org/TR/png-3/#9Filters */
function unfiltered(bytes: Buffer, width: number): Buffer[] {
  const rows: Buffer[] = [];
  let above = Buffer.alloc(width);
  for (let at = 0; at < bytes.length; at += width + 1) {
    const row = Buffer.from(bytes.subarray(at + 1, at + 1 + width));
    const filter = FILTERS[bytes[at] as number] as Filter;
    for (let i = 0; i < width; i++) {
      const [left, corner] = i < PIXEL ? [0, 0] : [row[i - PIXEL] as number, above[i - PIXEL] as number];
      row[i] = ((row[i] as number) + filter(left, above[i] as number, corner)) & 0xff;
    }
    rows.push(row);
    above = row;
  }
  return rows;
}

type Filter = (left: number, up: number, corner: number) => number;

const FILTERS: readonly Filter[] = [
  () => 0,
  (left) => left,
  (_, up) => up,
  (left, up) => (left + up) >> 1,
  (left, up, corner) => {
    const [a, b, c] = [up - corner, left - corner, left + up - 2 * corner].map(Math.abs) as [
      number,
      number,
      number,
    ];
    if (a <= b && a <= c) return left;
    return b <= c ? up : corner;
  },
];

function chunkBytes(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}
