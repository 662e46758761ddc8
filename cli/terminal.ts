import { spawnSync } from 'node:child_process';
import { isatty } from 'node:tty';
import type { Look } from './page.ts';

/** Columns of a page that goes to no terminal, or to one that does not say. */
const COLUMNS = 100;
/** A terminal of fewer columns breaks the lines itself. */
const LEAST_COLUMNS = 40;

/**
 * How a page looks on a descriptor: colours on a terminal only, where NO_COLOR does not forbid them (no-color.org), as
 * wide as the terminal, and plain ASCII where the locale has nothing else.
 *
 * @param fd of a standard stream; none for a file
 * @param ascii whether the user asks for it
 */
export function lookOf(fd: number | undefined, ascii = false, env = process.env): Look {
  const terminal = fd !== undefined && isatty(fd);
  return {
    columns: terminal ? Math.max(columnsOf(fd) ?? COLUMNS, LEAST_COLUMNS) : COLUMNS,
    colours: terminal && !env.NO_COLOR && env.TERM !== 'dumb',
    ascii: ascii || isPlain(env),
  };
}

/** By stty, for Node's own look at a terminal would change its mode, which the command shares. */
function columnsOf(fd: number): number | undefined {
  const { stdout } = spawnSync('stty', ['size'], { stdio: [fd, 'pipe', 'ignore'], encoding: 'utf8' });
  const columns = Number(/^\d+ (\d+)$/m.exec(stdout ?? '')?.[1]);
  return columns > 0 ? columns : undefined;
}

/** A locale of C or POSIX, as setlocale(3) finds it. */
function isPlain({ LC_ALL, LC_CTYPE, LANG }: NodeJS.ProcessEnv): boolean {
  return /^(C|POSIX)?$/.test(LC_ALL || LC_CTYPE || LANG || '');
}
