import { isatty } from 'node:tty';
import { stderr } from './output.ts';

const CLEAR_LINE = '\r\u001b[K';

/**
 * Shows the elapsed time of the collection on a terminal, every second, in one line.
 *
 * @returns a function that stops it and clears the line
 */
export function showProgress(): () => void {
  if (!isatty(2)) return () => undefined;
  const began = performance.now();
  const timer = setInterval(() => {
    const seconds = Math.round((performance.now() - began) / 1000);
    stderr.write(`${CLEAR_LINE}btprof: collecting, ${seconds} s`);
  }, 1000);
  return () => {
    clearInterval(timer);
    stderr.write(CLEAR_LINE);
  };
}
