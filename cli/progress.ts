import { isatty } from 'node:tty';
import { stderr } from './output.ts';

const CLEAR_LINE = '\r\u001b[K';

/**
 * Says each second, on a terminal, how long the collection has gone on: in one line, which goes away.
 *
 * @returns ends it
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
