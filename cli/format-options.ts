import { Option } from 'commander';
import type { Choices } from './commands/command.ts';
import type { Format } from './formats/format.ts';

/** What chooses a format, as commander leaves it. Flags such as `--json` are further fields. */
export interface FormatOptions {
  readonly format: string;
}

export function option(flags: string, description: string): Option {
  return new Option(flags, description);
}

/** `--format`, and the flags that are short for it. */
export function formatOptions(formats: Choices['formats']): Option[] {
  const names = formats.map(({ name }) => name);
  return [
    option('-f, --format <format>', 'output format').choices(names).default(names[0]),
    ...formats
      .filter(({ hasFlag }) => hasFlag)
      .map(({ name }) => option(`--${name}`, `short for --format ${name}`)),
  ];
}

/** The format that was asked for; a flag takes precedence over `--format`. */
export function chosenFormat(formats: Choices['formats'], options: FormatOptions): Format {
  const flags: Readonly<Record<string, unknown>> = { ...options };
  const flagged = formats.find(({ name, hasFlag }) => hasFlag && flags[name]);
  const named = formats.find(({ name }) => name === options.format);
  return flagged ?? (named as Format);
}

/** The formats that can show a comparison. */
export function diffFormats([first, ...others]: Choices['formats']): [Format, ...Format[]] {
  return [first, ...others.filter(({ renderDiff }) => renderDiff)];
}

/** Lists all formats below the options of a command. */
export function formatsNote({ formats }: Choices): string {
  return listFormats(formats);
}

/** The same for some of them. */
export function listFormats(formats: readonly Format[]): string {
  const width = Math.max(...formats.map(({ name }) => name.length));
  const lines = formats.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return `\nFormats:\n${lines.join('\n')}`;
}
