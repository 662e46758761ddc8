import { createContext, Script } from 'node:vm';

/** Time for one pattern and all names. */
const MOST_MS = 2000;
/** Patterns that took too long: they are not tried again, as for each interval of a capture. */
const slow = new WeakSet<RegExp>();
const TEST_ALL = new Script('names.map((name) => pattern.test(name))');

/**
 * Tests names against a pattern that may come from a file of somebody else: some patterns take years for one name.
 *
 * @returns for each name whether it matches; undefined after 2 seconds
 */
export function testNames(pattern: RegExp, names: readonly string[]): readonly boolean[] | undefined {
  if (slow.has(pattern)) return undefined;
  try {
    return TEST_ALL.runInContext(createContext({ pattern, names }), { timeout: MOST_MS });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    slow.add(pattern);
    return undefined;
  }
}
