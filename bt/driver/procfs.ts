/** Entries of /proc vanish while they are read: undefined then, and on any other failure to read. */
export function tryRead<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
