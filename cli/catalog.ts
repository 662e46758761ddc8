/**
 * What the help says of the profilers. The build replaces this module by its value: a start that only prints help loads no
 * profiler.
 */
import type { Profiler } from '../bt/profilers/profiler.ts';
import { PROFILERS } from '../bt/profilers/profiler-registry.ts';
import type { ProfilerChoice } from './profiler-choice.ts';

export function catalogOf(profilers: readonly Profiler[]): ProfilerChoice[] {
  return profilers.map(({ name, summary, isDefault = false, options = {} }) => ({
    ...{ name, summary, isDefault },
    options: Object.entries(options).map(([name, { help, value, alias }]) => ({ name, help, value, alias })),
  }));
}

export const CATALOG = catalogOf(PROFILERS);
