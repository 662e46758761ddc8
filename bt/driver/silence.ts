import { setTimeout as sleep } from 'node:timers/promises';
import type { Tracer } from './tracer.ts';

/** Detaching a probe takes 30 to 45 ms, and many times as long on a busy machine. */
const DETACH_MS = 60_000;
/** bpftrace reads a whole map before it prints it: about 3 µs for each entry on an idle machine. */
const ENTRY_MS = 0.05;

/**
 * How long a bpftrace that still works may print nothing while it starts, ends or prints its maps.
 *
 * @param mapEntries maximum entries of each map
 */
export function longestSilenceMs(mapEntries: number): number {
  return DETACH_MS + ENTRY_MS * mapEntries;
}

const POLL_MS = 100;

/**
 * Waits for an event. Returns false once bpftrace has printed nothing for too long. Silence is counted in polls, not by
 * the clock, because btprof itself may be stopped, or too busy to read.
 *
 * @param deadline the latest time to wait, ms of btprof's own clock, however much bpftrace prints
 */
export async function comes(
  event: Promise<unknown>,
  { printedBytes }: Pick<Tracer, 'printedBytes'>,
  silenceMs: number,
  deadline = Infinity,
): Promise<boolean> {
  const came = event.then(() => true);
  for (let silentMs = 0; silentMs < silenceMs && performance.now() < deadline; ) {
    const before = printedBytes();
    if (await Promise.race([came, sleep(POLL_MS, false)])) return true;
    silentMs = printedBytes() === before ? silentMs + POLL_MS : 0;
  }
  return false;
}
