import { type Command, InvalidArgumentError, Option } from 'commander';
import type { IdleMatch } from '../metrics/idle.ts';
import { ROOTS, type Root } from './formats/folded/folded-stacks.ts';

/** The options that say how a result looks: those of run, attach, system and report. */
export interface ResultOptions {
  readonly format: Format;
  readonly json?: boolean;
  readonly output?: string;
  readonly root?: Root[];
  readonly idle: IdleView;
  readonly idleMatch?: IdleMatch[];
  readonly verbose?: boolean;
  readonly ascii?: boolean;
}

const FORMATS = ['summary', 'json', 'jsonl', 'folded', 'flamegraph', 'speedscope', 'pprof'] as const;
export type Format = (typeof FORMATS)[number];

/** What becomes of waits for work in the summary: listed as all others, in one line, or not in the shares either. */
const IDLE_VIEWS = ['show', 'fold', 'hide'] as const;
export type IdleView = (typeof IDLE_VIEWS)[number];

export function addResultOptions(command: Command): Command {
  return command
    .addOption(new Option('-f, --format <format>', 'of the result').choices(FORMATS).default('summary'))
    .option('--json', 'short for --format json')
    .option('-o, --output <file>', 'write the result there')
    .option('--root <list>', `first frames of folded stacks: ${ROOTS.join(', ')}`, parseRoots)
    .addOption(
      new Option('--idle <how>', 'waits for work to come: listed, in one line, or left out of the shares too')
        .choices(IDLE_VIEWS)
        .default('fold'),
    )
    .option(
      '--idle-match <regex>',
      'functions under which waits are idle, or are not with ! before it; may be given again',
      parseIdleMatch,
    )
    .option('--ascii', 'nothing but ASCII in the summary')
    .option('-v, --verbose', 'a longer summary, with whole stacks');
}

/** The format that is asked for. */
export function formatOf({ format, json }: ResultOptions): Format {
  return json ? 'json' : format;
}

function parseRoots(text: string): Root[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !ROOTS.some((root) => root === name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`${JSON.stringify(unknown)} is none of ${ROOTS.join(', ')}.`);
  return names as Root[];
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
