/**
 * What the help and `btprof profilers` say of the profilers. The build replaces this module by its value, so that neither
 * loads a profiler.
 */
import type { Profiler } from '../bt/profilers/profiler.ts';
import { PROFILERS } from '../bt/profilers/profiler-registry.ts';
import type { OptionChoice, ProfilerChoice } from './profiler-choice.ts';

export const CATALOG = catalogOf(PROFILERS);

export function catalogOf(profilers: readonly Profiler[]): ProfilerChoice[] {
  return profilers.map((profiler) => {
    const { name, summary, isDefault = false, tracepoints, timer, cost, caveats } = profiler;
    const attachesTo = [...tracepoints, ...(timer ? [timer] : [])];
    return { name, summary, isDefault, attachesTo, cost, caveats, options: optionsOf(profiler) };
  });
}

function optionsOf({ options = {} }: Profiler): OptionChoice[] {
  return Object.entries(options).map(([name, { help, value, alias }]) => ({ name, help, value, alias }));
}
