import { Argument, InvalidArgumentError } from 'commander';
import { diffFormats, formatOptions, listFormats, option } from '../format-options.ts';

import type { Choices, CommandDefinition } from './command.ts';
import type { DiffOptions } from './diff/diff-options.ts';

export const diff: CommandDefinition<readonly [files: readonly string[]], DiffOptions> = {
  name: 'diff',
  usage: '[options] BEFORE AFTER',
  summary: 'compare two results; with --fail-if, a gate for CI',
  description:
    'Compare two JSON results or captures. To compare several runs of each side, use --runs N: the first N files are BEFORE.',
  arguments: [new Argument('<file...>')],
  options: diffOptions,
  notes: ({ formats }) => listFormats(diffFormats(formats)),
  action: async ([files], options) => {
    const { diffCommand } = await import('./diff/diff-command.ts');
    return diffCommand(files, options);
  },
};

function diffOptions({ formats }: Choices) {
  return [
    option('--runs <n>', 'the first N files are BEFORE, the others AFTER').argParser(parseRuns),
    option(
      '--fail-if <gate>',
      "exit with status 1 if a limit is crossed, such as 'lock>+20%'; can be repeated",
    ).argParser((text: string, earlier: string[] = []) => [...earlier, text]),
    ...formatOptions(diffFormats(formats)),
    option('-o, --output <file>', 'write the result to FILE'),
    option('--ascii', 'use only ASCII characters in the summary'),
    option('-v, --verbose', 'print more rows, including those that did not change'),
  ];
}

function parseRuns(text: string): number {
  const n = Number(text);
  if (!/^\d+$/.test(text) || n < 1 || n > 1000)
    throw new InvalidArgumentError('Give a number from 1 to 1000.');
  return n;
}
