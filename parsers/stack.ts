/** One frame as bpftrace printed it. */
export interface RawFrame {
  /** `0x` and hexadecimal digits: addresses exceed 2^53. */
  readonly address: string;
  readonly symbol?: string;
  /** Bytes from the start of the symbol. */
  readonly offset?: number;
  /** File that is mapped there. */
  readonly module?: string;
}

/**
 * A stack in bpftrace's `perf` mode, leaf first: one line a frame, empty when there is none.
 *
 * ```
 * \tffffffff821f94c3 schedule+35
 * \tffffffffc0401123 ext4_read_bh+162 ([ext4])
 * \t7ff680f81503 clock_nanosleep+35 (/usr/lib/x86_64-linux-gnu/libc.so.6)
 * \t7f4dddaed503 0x7f4dddaed503 ([unknown])
 * ```
 */
export function parseStack(text: string): RawFrame[] {
  const frames: RawFrame[] = [];
  for (const line of text.split('\n')) {
    const frame = parseFrame(line.trim());
    if (frame) frames.push(frame);
  }
  return frames;
}

/** A named frame ends its symbol with the first `+digits` that a module or nothing follows. */
function parseFrame(line: string): RawFrame | undefined {
  const named = /^([0-9a-f]+) (.+?)\+(\d+)(?: \((.*)\))?$/s.exec(line);
  if (named) {
    const [, address, symbol, offset] = named as unknown as [string, string, string, string];
    return { address: `0x${address}`, symbol, offset: Number(offset), ...moduleOf(named[4]) };
  }
  const bare = /^([0-9a-f]+)(?: 0x[0-9a-f]+)?(?: \((.*)\))?$/s.exec(line);
  return bare ? { address: `0x${bare[1]}`, ...moduleOf(bare[2]) } : undefined;
}

function moduleOf(text: string | undefined): { module?: string } {
  return text === undefined || text === '[unknown]' ? {} : { module: text };
}
