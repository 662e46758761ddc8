import { Transform } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import split2 from 'split2';

/** V8 has no longer strings (2^29 − 24 characters). */
const LONGEST_LINE = 500_000_000;

/**
 * Reads a stream line by line, in time that grows with its bytes also when a line is hundreds of megabytes long, as the
 * print of a large map is. What is no UTF-8 arrives as U+FFFD.
 *
 * @param longest bytes of a line; in place of a longer one comes a short line that nothing can read, which is counted
 * @returns resolves at the end of the stream
 */
export function readLines(
  stream: NodeJS.ReadableStream,
  onLine: (line: string) => void,
  longest = LONGEST_LINE,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const lines = stream.pipe(wholeLines(longest)).pipe(split2('\n', { decodeStrings: false }));
    lines.on('data', onLine);
    lines.on('end', resolve);
    lines.on('error', reject);
  });
}

const NEWLINE = 0x0a;

/**
 * Passes text on only up to a newline: split2 looks through all it holds at every chunk, and a map is one line. Each chunk
 * becomes text while it is at hand, for to copy the bytes of a large map once more takes as long as to read them.
 */
function wholeLines(longest: number): Transform {
  const decoder = new StringDecoder();
  let held = '';
  let size = 0;
  const hold = (bytes: Buffer) => {
    size += bytes.length;
    const text = decoder.write(bytes);
    held = size <= longest ? held + text : '';
  };
  const release = (): string => {
    const line = size <= longest ? held : `{"a line of ${size} bytes": "is too long"}\n`;
    [held, size] = ['', 0];
    return line;
  };
  return new Transform({
    readableObjectMode: true,
    transform(chunk: Buffer, _encoding, done) {
      const first = chunk.indexOf(NEWLINE) + 1;
      const last = chunk.lastIndexOf(NEWLINE) + 1;
      hold(chunk.subarray(0, first || chunk.length));
      if (first > 0) this.push(release());
      if (last > first) this.push(decoder.write(chunk.subarray(first, last)));
      if (first > 0) hold(chunk.subarray(last));
      done();
    },
    flush(done) {
      held += decoder.end();
      done(null, release());
    },
  });
}
