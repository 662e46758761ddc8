/** Entries that a map should have room for when memory allows. */
const WANTED = 65_536;
/** bpftrace's own default: never less. */
const LEAST = 4096;
/** Share of the host's memory that the maps together may take. */
const MEMORY_SHARE = 0.03;
/** Bytes of one entry in each of the maps together: keys, values and the kernel's own, without per-CPU values. */
const ENTRY_BYTES = 700;
/** Bytes that each CPU adds to it: four maps hold a value for each CPU, and stats() holds two. */
const CPU_BYTES = 40;

/**
 * How many entries each kernel map gets: 65,536, or the power of two that keeps all maps below 3 % of memory.
 *
 * @param memoryBytes the host's memory
 */
export function mapEntries(memoryBytes: number, cpus: number): number {
  const affordable = (memoryBytes * MEMORY_SHARE) / (ENTRY_BYTES + CPU_BYTES * cpus);
  return Math.max(LEAST, Math.min(WANTED, 2 ** Math.floor(Math.log2(affordable))));
}
