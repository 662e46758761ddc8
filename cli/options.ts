import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { MOST_ENTRIES } from '../bt/limits.ts';
import { DEFAULT_PROFILERS, PROFILER_NAMES } from '../bt/profilers/names.ts';
import { UNWINDERS, type Unwinder } from '../bt/unwinder.ts';
import { parseTimeNs } from '../metrics/units.ts';
import { addResultOptions, type ResultOptions } from './result-options.ts';

/** The options of run, attach and system, as commander leaves them. */
export interface ProfileOptions extends ResultOptions {
  /** All of them when none are named. */
  readonly profilers?: string[];
  readonly duration?: number;
  readonly interval?: number;
  readonly minBlock: number;
  readonly follow: boolean;
  readonly stacks: boolean;
  readonly stackDepth: number;
  readonly unwind: Unwinder;
  readonly syscallTimes?: boolean;
  readonly lines?: boolean;
  readonly symbolCache: boolean;
  readonly selfMeasure: boolean;
  readonly mapEntries?: number;
  readonly bpftrace: string;
  readonly capture?: string;
  readonly quiet?: boolean;
  readonly debug?: boolean;
}

/** Adds the options that say what is measured; `script` has them too. */
export function addPlanOptions(command: Command): Command {
  return command
    .option(
      '-i, --interval <time>',
      'print totals every TIME (with --format jsonl: a sample)',
      atLeast(10, 'ms'),
    )
    .option('--min-block <time>', 'leave out waits shorter than TIME', parseTime, 0)
    .option(
      '--syscall-times',
      'also errors, times and waits of each system call, for 3 to 4 times the cost of a call',
    )
    .option('--no-follow', 'leave children alone')
    .option('--no-stacks', 'times and counts only')
    .option('--stack-depth <n>', 'frames per stack, 1 to 127', parseDepth, 127)
    .option('--bpftrace <path>', 'which bpftrace', parseCommand, 'bpftrace')
    .option('--debug', 'show the bpftrace program, what bpftrace says, and the steps taken');
}

/** Adds all options of run, attach and system. */
export function addProfileOptions(command: Command): Command {
  addPlanOptions(
    command
      .option(
        '-p, --profilers <list>',
        `comma-separated, of ${PROFILER_NAMES.join(', ')} (default: ${DEFAULT_PROFILERS.join(',')})`,
        parseList,
      )
      .option('-d, --duration <time>', 'stop after TIME, such as 10s, 500ms, 2m', atLeast(1, 'ms')),
  );
  command.addOption(
    new Option(
      '--unwind <how>',
      'user stacks, by frame pointers, or by DWARF with bpftrace 0.26 on x86_64; auto: as needed',
    )
      .choices(UNWINDERS)
      .default('fp'),
  );
  command.option('--lines', 'also file, line and inlined functions, from debug information');
  command.option('--no-self-measure', 'leave out what btprof itself costs');
  command.option('--no-symbol-cache', 'read all symbols anew, and keep none');
  command.option('--map-entries <n>', 'room of each kernel map (default: by memory)', parseMapEntries);
  command.option('--capture <file>', "also keep all that 'btprof report' and 'btprof diff' need");
  return addResultOptions(command).option('-q, --quiet', 'say nothing but the result and errors');
}

/** A time such as `10s`, in ns. */
function parseTime(text: string): number {
  const ns = parseTimeNs(text);
  if (ns === undefined) throw new InvalidArgumentError('Give a time such as 10s, 500ms or 2m.');
  return ns;
}

/** A time in whole ms, at least `least` of them. */
function atLeast(least: number, unit: string): (text: string) => number {
  return (text) => {
    const ms = Math.round(parseTime(text) / 1e6);
    if (ms < least || ms > 2 ** 31 - 1)
      throw new InvalidArgumentError(`Give a time from ${least}${unit} to 24 days.`);
    return ms;
  };
}

function parseList(text: string): string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

function parseDepth(text: string): number {
  const n = Number(text);
  if (!/^\d+$/.test(text) || n < 1 || n > 127) throw new InvalidArgumentError('Give a number from 1 to 127.');
  return n;
}

/** A path is that of the current directory, wherever the command runs. */
export function parseCommand(text: string): string {
  return text.includes('/') ? resolve(text) : text;
}

function parseMapEntries(text: string): number {
  const n = Number(text);
  if (!/^\d+$/.test(text) || n < 1 || n > MOST_ENTRIES) {
    throw new InvalidArgumentError(`Give a number from 1 to ${MOST_ENTRIES}.`);
  }
  return n;
}

/** A process id of the command line. */
export function parsePid(text: string, earlier: number[] = []): number[] {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new InvalidArgumentError('Give process ids, such as 1234.');
  return [...earlier, Number(text)];
}
