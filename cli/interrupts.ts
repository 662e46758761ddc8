import { readFileSync } from 'node:fs';
import { parseStat } from '../parsers/proc.ts';

/** `timeout` sends its signal to us and to our group, so that it comes twice. */
const SAME_MS = 200;

/**
 * Takes the signals that end or concern a profile. The first SIGINT, SIGQUIT, SIGTERM or SIGHUP asks for the result, the
 * next one stops at once. A command gets those that a process in its place would get: what a key on the terminal
 * sends, it gets from there; any other is passed on. Without a terminal SIGHUP means to read a configuration again,
 * and is the command's alone.
 *
 * @param forward passes a signal on to the command; none for the modes without one
 * @param abort ends everything at once
 */
export function takeInterrupts(
  forward: ((signal: NodeJS.Signals) => void) | undefined,
  abort: () => void,
): { stop: Promise<void> } {
  const onTerminal = hasTerminal();
  const fromKeys: readonly string[] = onTerminal ? ['SIGINT', 'SIGQUIT'] : [];
  const mere: readonly string[] = forward && !onTerminal ? ['SIGHUP'] : [];
  let last: number | undefined;
  const stop = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (!fromKeys.includes(signal)) forward?.(signal);
        if (mere.includes(signal)) return;
        const now = performance.now();
        if (last !== undefined && now - last > SAME_MS) abort();
        last ??= now;
        resolve();
      });
    }
  });
  if (forward)
    for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => forward(signal));
  return { stop };
}

/** Whether we have a controlling terminal, whose Ctrl-C goes to the whole foreground process group. */
function hasTerminal(): boolean {
  return (parseStat(readFileSync('/proc/self/stat', 'utf8'))?.ttyNr ?? 0) !== 0;
}
