import { Transform } from 'node:stream';
import split2 from 'split2';

/**
 * Reads a stream line by line, in time that grows with its bytes also when a line is hundreds of megabytes long, as the
 * print of a large map is. What is no UTF-8 arrives as U+FFFD.
 *
 * @returns resolves at the end of the stream
 */
export function readLines(stream: NodeJS.ReadableStream, onLine: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const lines = stream.pipe(wholeLines()).pipe(split2());
    lines.on('data', onLine);
    lines.on('end', resolve);
    lines.on('error', reject);
  });
}

const NEWLINE = 0x0a;

/** Passes bytes on only up to a newline: split2 looks through all it holds at every chunk, and a map is one line. */
function wholeLines(): Transform {
  let held: Buffer[] = [];
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const end = chunk.lastIndexOf(NEWLINE) + 1;
      if (end > 0) this.push(Buffer.concat([...held, chunk.subarray(0, end)]));
      if (end > 0) held = [];
      if (end < chunk.length) held.push(chunk.subarray(end));
      done();
    },
    flush(done) {
      done(null, Buffer.concat(held));
    },
  });
}
