import { type Command, InvalidArgumentError, Option } from 'commander';

const FORMATS = ['summary', 'json', 'folded', 'flamegraph'] as const;
export type DiffFormat = (typeof FORMATS)[number];

/** The options of diff, as commander leaves them. */
export interface DiffOptions {
  readonly runs?: number;
  readonly format: DiffFormat;
  readonly json?: boolean;
  readonly output?: string;
  readonly failIf?: string[];
  readonly ascii?: boolean;
  readonly verbose?: boolean;
}

export function addDiffOptions(command: Command): Command {
  return command
    .option('--runs <n>', 'the first N files are BEFORE, the others AFTER', parseRuns)
    .option(
      '--fail-if <gate>',
      "exit status 1 when a limit is crossed, such as 'lock>+20%'; may be given again",
      (text: string, earlier: string[] = []) => [...earlier, text],
    )
    .addOption(new Option('-f, --format <format>', 'of the result').choices(FORMATS).default('summary'))
    .option('--json', 'short for --format json')
    .option('-o, --output <file>', 'write the result there')
    .option('--ascii', 'nothing but ASCII in the summary')
    .option('-v, --verbose', 'more rows, also those without a change');
}

function parseRuns(text: string): number {
  const n = Number(text);
  if (!/^\d+$/.test(text) || n < 1 || n > 1000)
    throw new InvalidArgumentError('Give a number from 1 to 1000.');
  return n;
}
