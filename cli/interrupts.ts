import { readFileSync } from 'node:fs';
import { parseStat } from '../parsers/proc.ts';

/** `timeout` signals both us and our process group, so the same signal arrives twice within this time. */
const SAME_MS = 200;

/** Signals that ask for the result. */
const ENDING = ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Handles signals during a collection. The first SIGINT, SIGQUIT, SIGTERM or SIGHUP asks for the result, the next one
 * aborts. A profiled command receives the signals that it would receive without btprof: the terminal itself sends it
 * those of keys, and btprof forwards all others. Without a terminal, SIGHUP asks a daemon to reload its configuration, so it
 * is only forwarded.
 *
 * @param forward sends a signal to the command; undefined in modes without a command
 * @param abort ends everything without a result
 * @returns `stop` resolves at the first signal. `restoreSignals` gives the signals their default action back: they end btprof at once,
 * also while it computes, or is blocked in a read or a write.
 */
export function takeInterrupts(
  forward: ((signal: NodeJS.Signals) => void) | undefined,
  abort: () => void,
): { stop: Promise<void>; restoreSignals: () => void } {
  const onTerminal = hasTerminal();
  const fromKeys: readonly string[] = onTerminal ? ['SIGINT', 'SIGQUIT'] : [];
  const forwardOnly: readonly string[] = forward && !onTerminal ? ['SIGHUP'] : [];
  let last: number | undefined;
  const stop = new Promise<void>((resolve) => {
    for (const signal of ENDING) {
      process.on(signal, () => {
        if (!fromKeys.includes(signal)) forward?.(signal);
        if (forwardOnly.includes(signal)) return;
        const now = performance.now();
        if (last !== undefined && now - last > SAME_MS) abort();
        last ??= now;
        resolve();
      });
    }
  });
  if (forward)
    for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => forward(signal));
  const restoreSignals = () => {
    for (const signal of ENDING) process.removeAllListeners(signal);
  };
  return { stop, restoreSignals };
}

/** Whether we have a controlling terminal: its Ctrl-C goes to the whole foreground process group. */
function hasTerminal(): boolean {
  return (parseStat(readFileSync('/proc/self/stat', 'utf8'))?.ttyNr ?? 0) !== 0;
}
