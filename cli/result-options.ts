import { InvalidArgumentError, type Option } from 'commander';
import type { IdleView } from '../metrics/blocks.ts';
import type { IdleMatch } from '../metrics/measurement.ts';
import type { Choices } from './commands/command.ts';
import { type FormatOptions, formatOptions, option } from './format-options.ts';

const IDLE_VIEWS: readonly IdleView[] = ['show', 'fold', 'hide'];

/** The options that say how a result looks: those of run, attach, system and report. */
export interface ResultOptions extends FormatOptions {
  readonly output?: string;
  readonly idle: IdleView;
  readonly idleMatch?: IdleMatch[];
  readonly verbose?: boolean;
  readonly ascii?: boolean;
}

export function resultOptions({ formats }: Choices): Option[] {
  return [
    ...formatOptions(formats),
    option('-o, --output <file>', 'write the result to FILE'),
    ...formats.flatMap(({ options = [] }) => options),
    option('--idle <how>', 'idle waits: show, fold into one line, or hide')
      .choices(IDLE_VIEWS)
      .default('fold'),
    option(
      '--idle-match <regex>',
      'functions whose waits are idle or, with ! in front, not idle; can be repeated',
    ).argParser(parseIdleMatch),
    option('--ascii', 'use only ASCII characters in the summary'),
    option('-v, --verbose', 'print a longer summary, with whole stacks'),
  ];
}

/** The last one that matches a stack decides. */
export function parseIdleMatch(text: string, earlier: IdleMatch[] = []): IdleMatch[] {
  const idle = !text.startsWith('!');
  try {
    return [...earlier, { pattern: new RegExp(idle ? text : text.slice(1)), idle }];
  } catch (error) {
    throw new InvalidArgumentError(
      `${(error as Error).message}. Give a regular expression such as '^take_job$'.`,
    );
  }
}
