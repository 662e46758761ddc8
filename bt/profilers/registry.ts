import { UsageError } from '../errors.ts';
import { PROFILER_NAMES, type ProfilerName } from './names.ts';
import { offcpu } from './offcpu.ts';
import { oncpu } from './oncpu.ts';
import type { Profiler } from './profiler.ts';
import { syscalls } from './syscalls.ts';

const BY_NAME: Record<ProfilerName, Profiler> = { offcpu, oncpu, syscalls };

/** In the order of their names. */
export const PROFILERS: readonly Profiler[] = PROFILER_NAMES.map((name) => BY_NAME[name]);

/**
 * `offcpu,syscalls` → the profilers, in registry order.
 *
 * @throws UsageError on a name that is none
 */
export function selectProfilers(names: readonly string[]): Profiler[] {
  const known: readonly string[] = PROFILER_NAMES;
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
