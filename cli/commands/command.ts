import type { Argument, Option } from 'commander';
import type { Format } from '../formats/format.ts';
import type { ProfilerChoice } from '../profiler-choice.ts';

/**
 * A command of btprof. It is one file in this folder and one line in command-registry.ts; the help and the build find it
 * there.
 * Every start loads these files, so an action imports what it needs when it runs.
 */
export interface CommandDefinition<Words extends readonly unknown[] = readonly unknown[], Options = object> {
  readonly name: string;
  /** What follows the name in the first line of its help. */
  readonly usage?: string;
  /** One line in the list of commands. */
  readonly summary: string;
  readonly description: string;
  readonly arguments?: readonly Argument[];
  readonly options?: (choices: Choices) => readonly Option[];
  /** Text below the options in its help. */
  readonly notes?: (choices: Choices) => string;
  /** Whether everything behind the first argument belongs to a command that is started. */
  readonly startsCommand?: boolean;
  /** Exit status of a wrong command line; 2 by default. */
  readonly usageStatus?: number;
  /** Runs the command and returns the exit status. (A method, so that a list can hold different commands.) */
  action(words: Words, options: Options, start: Start): Promise<number>;
}

/** What the options can name. */
export interface Choices {
  readonly profilers: readonly ProfilerChoice[];
  /** The first one is the default. */
  readonly formats: readonly [Format, ...Format[]];
}

/** What only the beginning of the process can tell. */
export interface Start {
  /** Descriptors above 2 that we were started with. */
  readonly descriptors: readonly number[];
}
