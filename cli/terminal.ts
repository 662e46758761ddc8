import { isatty } from 'node:tty';
import type { Look } from './page.ts';

/** Columns of a page that does not go to a terminal, or whose terminal does not know its width. */
const COLUMNS = 100;
/** A narrower terminal wraps the lines itself. */
const MIN_COLUMNS = 40;

/**
 * Decides how a page looks on a descriptor. Colours appear only on terminals, unless NO_COLOR is set (no-color.org). The page
 * is as wide as the terminal, and uses only ASCII in a C or POSIX locale.
 *
 * @param fd a standard stream; undefined for a file
 * @param ascii whether the user wants only ASCII
 */
export async function lookOf(fd: number | undefined, ascii = false, env = process.env): Promise<Look> {
  const terminal = fd !== undefined && isatty(fd);
  return {
    columns: terminal ? Math.max((await columnsOf(fd)) ?? COLUMNS, MIN_COLUMNS) : COLUMNS,
    colours: terminal && !env.NO_COLOR && env.TERM !== 'dumb',
    ascii: ascii || isPlain(env),
  };
}

/** Asks stty, because Node would change the mode of the terminal, which the command shares. */
async function columnsOf(fd: number): Promise<number | undefined> {
  const { execa } = await import('execa'); // many results do not go to a terminal
  const stdin = fd as 0; // the types know no other descriptor, but the terminal may be on 1 or 2 only
  const { stdout } = await execa('stty', ['size'], { stdin, stderr: 'ignore', reject: false, cwd: '/' });
  const columns = Number(/^\d+ (\d+)$/m.exec(stdout ?? '')?.[1]);
  return columns > 0 ? columns : undefined;
}

/** Whether setlocale(3) would find a C or POSIX locale. */
function isPlain({ LC_ALL, LC_CTYPE, LANG }: NodeJS.ProcessEnv): boolean {
  return /^(C|POSIX)?$/.test(LC_ALL || LC_CTYPE || LANG || '');
}
