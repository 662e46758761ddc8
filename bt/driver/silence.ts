/** Detaching a probe takes 30 to 45 ms, and many times as long on a busy machine. */
const DETACH_MS = 60_000;
/** bpftrace reads a whole map before it prints it: about 3 µs for each entry on an idle machine. */
const ENTRY_MS = 0.05;

/**
 * How long a bpftrace that still works may print nothing while it ends or prints its maps.
 *
 * @param mapEntries maximum entries of each map
 */
export function longestSilenceMs(mapEntries: number): number {
  return DETACH_MS + ENTRY_MS * mapEntries;
}
