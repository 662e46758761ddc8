import { Transform } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import split2 from 'split2';

/** The limit of V8 for strings is 2^29 − 24 characters. */
const LONGEST_LINE = 500_000_000;

/**
 * Reads a stream line by line. Bytes that are not UTF-8 become U+FFFD.
 *
 * @param longest characters of a line; a longer line becomes one that cannot be parsed, so that it is counted
 * @returns resolves at the end of the stream
 */
export function readLines(
  stream: NodeJS.ReadableStream,
  onLine: (line: string) => void,
  longest = LONGEST_LINE,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const lines = stream.pipe(untilNewline(longest)).pipe(split2('\n', { decodeStrings: false }));
    lines.on('data', onLine);
    lines.on('end', resolve);
    lines.on('error', reject);
  });
}

/**
 * Collects chunks until one has a newline. For each chunk, split2 searches all text since the last newline, and the
 * print of a large map is one line of 100 MB. Each chunk is decoded when it arrives, because copying the bytes of such
 * a line takes as long as reading them.
 */
function untilNewline(longest: number): Transform {
  const decoder = new StringDecoder();
  let held = '';
  /** Length of the incomplete line, in characters. */
  let length = 0;
  return new Transform({
    readableObjectMode: true,
    transform(chunk: Buffer, _encoding, done) {
      const text = decoder.write(chunk);
      const end = text.indexOf('\n');
      length += end < 0 ? text.length : end;
      const rest = end < 0 ? '' : text.slice(end);
      held = length > longest ? `{"a line of ${length} characters": "is too long"}${rest}` : held + text;
      if (end >= 0) {
        this.push(held);
        held = '';
        length = text.length - text.lastIndexOf('\n') - 1;
      }
      done();
    },
    flush(done) {
      done(null, held + decoder.end());
    },
  });
}
