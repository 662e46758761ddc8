import { PROFILERS } from '../../../../bt/profilers/profiler-registry.ts';
import type { Result } from '../../../../cli/formats/format.ts';
import type { Profile } from '../../../../metrics/schema.ts';
import { stacksOf, type TimedStack } from '../../../../metrics/timed-stacks.ts';

/** A profile as passed to the formats. */
export function resultOf(profile: Profile): Result {
  return { profile, measurements: PROFILERS };
}

/** All stacks of a profile. */
export function allStacks(profile: Profile): TimedStack[] {
  return stacksOf(profile, PROFILERS);
}
