import { Help, type Option } from 'commander';
import { option } from './format-options.ts';
import type { OptionChoice, ProfilerChoice } from './profiler-choice.ts';

/** The property in which commander puts an option such as `--min-block`: `minBlock`. */
export function propertyOf(flag: string): string {
  return flag.replace(/^--/, '').replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** Global options that stand for options of profilers. */
export function aliasOptions(profilers: readonly ProfilerChoice[]): Option[] {
  return profilers.flatMap(({ name, options }) =>
    options.flatMap((one) => {
      const { alias, value, help } = one;
      if (alias === undefined) return [];
      const flags = value ? `${alias} <${value.toLowerCase()}>` : alias;
      return [option(flags, `${help}; same as ${specOf(name, one)}`)];
    }),
  );
}

/** How an option of a profiler is written: `offcpu:min=TIME`. */
function specOf(profiler: string, { name, value }: OptionChoice): string {
  return `${profiler}:${name}${value ? `=${value}` : ''}`;
}

/** Lists the profilers and their options below the options of a command. */
export function profilersNote(profilers: readonly ProfilerChoice[]): string {
  const rows = profilers.flatMap(({ name, summary, options }): [string, string][] => [
    [name, summary],
    ...options.map((one): [string, string] => [specOf(name, one), one.help]),
  ]);
  const width = Math.max(...rows.map(([name]) => name.length));
  const help = new Help();
  const lines = rows.map(([name, text]) => help.formatItem(name, width, text, help));
  return `\nProfilers and their options (write NAME:OPTION or NAME:OPTION=VALUE):\n${lines.join('\n')}`;
}
