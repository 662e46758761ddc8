import type { Plan } from '../bt/compose.ts';
import { chooseProfilers, parseWanted, type Wanted } from '../bt/profilers/choose.ts';
import type { Profiler } from '../bt/profilers/profiler.ts';
import { PROFILERS } from '../bt/profilers/profiler-registry.ts';
import { UsageError } from '../metrics/errors.ts';
import type { PlanOptions, ProfileOptions } from './options.ts';
import { propertyOf } from './profiler-options.ts';

/**
 * Makes the plan of what to measure.
 *
 * @param list profilers with their options, such as `offcpu:min=1ms,syscalls`; the default ones without it
 * @throws UsageError on an unknown profiler or option
 */
export function planOf(
  options: PlanOptions & Partial<ProfileOptions>,
  list: string | undefined = options.profilers,
  registered: readonly Profiler[] = PROFILERS,
): Plan {
  const wanted = list === undefined ? defaultsOf(registered) : parseWanted(list);
  return {
    profilers: chooseProfilers([...wanted, ...aliased(wanted, options, registered)], registered),
    stacks: options.stacks,
    stackDepth: options.stackDepth,
    children: options.follow,
    intervalMs: options.interval,
    durationMs: options.duration,
    mapEntries: options.mapEntries,
    unwind: options.unwind ?? 'fp',
    lines: options.lines ?? false,
    selfMeasure: options.selfMeasure ?? false,
    symbolCache: options.symbolCache ?? false,
  };
}

function defaultsOf(registered: readonly Profiler[]): Wanted[] {
  return registered.filter(({ isDefault }) => isDefault).map(({ name }) => ({ name, options: {} }));
}

/** Options of profilers that were given by their global names, such as `--min-block`. */
function aliased(wanted: readonly Wanted[], options: object, registered: readonly Profiler[]): Wanted[] {
  const given = new Map(Object.entries(options));
  return registered.flatMap(({ name, options: own = {} }) =>
    Object.entries(own).flatMap(([option, { alias }]) => {
      const value = alias === undefined ? undefined : given.get(propertyOf(alias));
      if (alias === undefined || value === undefined) return [];
      requireChosen(name, alias, wanted);
      return [{ name, options: { [option]: value as string | true } }];
    }),
  );
}

function requireChosen(name: string, alias: string, wanted: readonly Wanted[]): void {
  if (wanted.some((one) => one.name === name)) return;
  const list = [...wanted.map((one) => one.name), name].join(',');
  throw new UsageError(`${alias} needs the profiler ${name}.`, `Type: -p ${list}`, 2);
}
