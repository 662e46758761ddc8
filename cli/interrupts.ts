import { readFileSync } from 'node:fs';
import { parseStat } from '../parsers/proc.ts';

export interface Interrupts {
  /** Resolves at the first Ctrl-C or SIGTERM. */
  readonly stop: Promise<void>;
}

/**
 * Takes the signals that end or concern a profile. The first SIGINT or SIGTERM asks for the result, the second one
 * stops at once. A command gets those that a process in its place would get: the terminal sends its own to the
 * command directly; any other is passed on.
 *
 * @param forward passes a signal on to the command; none for the modes without one
 * @param abort ends everything at once
 */
export function takeInterrupts(
  forward: ((signal: NodeJS.Signals) => void) | undefined,
  abort: () => void,
): Interrupts {
  const onTerminal = hasTerminal();
  let count = 0;
  const stop = new Promise<void>((resolve) => {
    const request = (signal: NodeJS.Signals) => {
      count++;
      if (count > 1) abort();
      if (!(onTerminal && signal === 'SIGINT')) forward?.(signal);
      resolve();
    };
    process.on('SIGINT', request);
    process.on('SIGTERM', request);
  });
  for (const signal of ['SIGHUP', 'SIGQUIT'] as const) {
    process.on(signal, () => {
      if (!onTerminal) forward?.(signal);
    });
  }
  if (forward)
    for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => forward(signal));
  return { stop };
}

/** Whether we have a controlling terminal, whose Ctrl-C goes to the whole foreground process group. */
function hasTerminal(): boolean {
  return (parseStat(readFileSync('/proc/self/stat', 'utf8'))?.ttyNr ?? 0) !== 0;
}
