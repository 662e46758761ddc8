import type { Plan } from '../bt/compose.ts';
import { DEFAULT_PROFILERS } from '../bt/profilers/names.ts';
import { selectProfilers } from '../bt/profilers/registry.ts';
import type { PlanOptions, ProfileOptions } from './options.ts';

/**
 * Makes the plan of what to measure.
 *
 * @throws UsageError on an unknown profiler
 */
export function planOf(
  options: PlanOptions & Partial<ProfileOptions>,
  profilers: readonly string[] = options.profilers ?? DEFAULT_PROFILERS,
): Plan {
  return {
    profilers: selectProfilers(profilers),
    minBlockNs: options.minBlock,
    stacks: options.stacks,
    stackDepth: options.stackDepth,
    syscallTimes: options.syscallTimes,
    children: options.follow,
    intervalMs: options.interval,
    durationMs: options.duration,
    mapEntries: options.mapEntries,
  };
}
