import { UsageError } from '../../metrics/errors.ts';
import type { Chosen } from '../compose.ts';
import type { OptionValues, Profiler, ProfilerOption } from './profiler.ts';

/** A profiler that a user asked for: `syscalls:times`, `offcpu:min=1ms:other`. */
export interface Wanted {
  readonly name: string;
  /** Texts after `=`; true for options without one. */
  readonly options: Readonly<Record<string, string | true>>;
}

/** Reads `offcpu:min=1ms,syscalls:times`. */
export function parseWanted(text: string): Wanted[] {
  const specs = text.split(',').map((spec) => spec.trim());
  return specs.filter((spec) => spec !== '').map(parseSpec);
}

function parseSpec(spec: string): Wanted {
  const [name = '', ...options] = spec.split(':').map((part) => part.trim());
  const entries = options.map((option): [string, string | true] => {
    const [, key = '', value] = /^([^=]*)(?:=(.*))?$/s.exec(option) ?? [];
    return [key, value ?? true];
  });
  return { name, options: Object.fromEntries(entries) };
}

/**
 * The profilers asked for, with their options, in the order of the registry. Each name counts once; options of its repeats
 * add up.
 *
 * @throws UsageError for an unknown profiler or option, or a value that the option does not take
 */
export function chooseProfilers(wanted: readonly Wanted[], registered: readonly Profiler[]): Chosen[] {
  const unknown = wanted.find(({ name }) => !registered.some((profiler) => profiler.name === name));
  if (unknown !== undefined || wanted.length === 0) {
    const names = registered.map(({ name }) => name).join(', ');
    throw new UsageError(
      `unknown profiler ${JSON.stringify(unknown?.name ?? '')}`,
      `The profilers are: ${names}. 'btprof profilers' describes them.`,
      2,
    );
  }
  return registered
    .map((profiler) => ({ profiler, of: wanted.filter(({ name }) => name === profiler.name) }))
    .filter(({ of }) => of.length > 0)
    .map(({ profiler, of }) => ({ profiler, options: readOptions(profiler, of) }));
}

function readOptions(profiler: Profiler, wanted: readonly Wanted[]): OptionValues {
  const texts = wanted.flatMap(({ options }) => Object.entries(options));
  return Object.fromEntries(texts.map(([name, text]) => [name, readOption(profiler, name, text)]));
}

function readOption(profiler: Profiler, name: string, text: string | true): unknown {
  const known = profiler.options ?? {};
  const option = Object.hasOwn(known, name) ? known[name] : undefined;
  const spec = `${profiler.name}:${name}`;
  if (!option) {
    throw new UsageError(
      `the profiler ${profiler.name} has no option ${JSON.stringify(name)}.`,
      optionsHint(profiler),
      2,
    );
  }
  const read = option.schema.safeParse(text);
  if (read.success) return read.data;
  const given = text === true ? spec : `${spec}=${text}`;
  throw new UsageError(
    `the option ${JSON.stringify(given)} ${read.error.issues[0]?.message ?? 'is not valid'}.`,
    `Type: ${waysToType(spec, option)}`,
    2,
  );
}

/** `-p offcpu:min=TIME or --min-block TIME` */
function waysToType(spec: string, { value, alias }: ProfilerOption<unknown>): string {
  const long = `-p ${value ? `${spec}=${value}` : spec}`;
  if (alias === undefined) return long;
  return `${long} or ${value ? `${alias} ${value}` : alias}`;
}

function optionsHint({ name, options = {} }: Profiler): string {
  const known = Object.entries(options).map(
    ([option, { value }]) => `${name}:${option}${value ? `=${value}` : ''}`,
  );
  return known.length > 0 ? `It has: ${known.join(', ')}` : 'It has no options.';
}
