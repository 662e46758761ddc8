import { isatty } from 'node:tty';
import { UsageError } from '../metrics/errors.ts';
import { chosenFormat } from './format-options.ts';
import type { Format, ResultLook } from './formats/format.ts';
import { FORMATS } from './formats/format-registry.ts';
import type { ResultOptions } from './result-options.ts';
import { lookOf } from './terminal.ts';

/**
 * The format that the options ask for.
 *
 * @throws UsageError when binary data would go to a terminal
 */
export function formatOf(options: ResultOptions): Format {
  const format = chosenFormat(FORMATS, options);
  if (format.isBinary && options.output === undefined && isatty(1)) {
    throw new UsageError(`refusing to write binary ${format.name} to a terminal.`, 'Type: -o FILE', 2);
  }
  return format;
}

/** How a page looks on that descriptor; undefined for a file. */
export async function resultLook({ ascii, verbose, idle }: ResultOptions, fd?: number): Promise<ResultLook> {
  return { ...(await lookOf(fd, ascii)), verbose: verbose ?? false, idle };
}
