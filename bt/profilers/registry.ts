import { UsageError } from '../errors.ts';
import { offcpu } from './offcpu.ts';
import { oncpu } from './oncpu.ts';
import type { Profiler } from './profiler.ts';
import { syscalls } from './syscalls.ts';

/** Every profiler there is, in the order in which they are listed and written into a program. */
export const PROFILERS: readonly Profiler[] = [offcpu, oncpu, syscalls];

/** Those of a profile when none are named. */
export const DEFAULT_PROFILERS: readonly string[] = ['offcpu', 'syscalls'];

/**
 * `offcpu,syscalls` → the profilers, in registry order.
 *
 * @throws UsageError on a name that is none
 */
export function selectProfilers(names: readonly string[]): Profiler[] {
  const known = PROFILERS.map((p) => p.name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined || names.length === 0) {
    throw new UsageError(
      `unknown profiler ${JSON.stringify(unknown ?? '')}`,
      `The profilers are: ${known.join(', ')}. 'btprof profilers' describes them.`,
      2,
    );
  }
  return PROFILERS.filter((p) => names.includes(p.name));
}
