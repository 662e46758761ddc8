import { resolve } from 'node:path';
import { InvalidArgumentError, type Option } from 'commander';
import { UNWINDERS, type Unwinder } from '../bt/unwinder.ts';
import { MOST_ENTRIES, parseTimeNs } from '../metrics/units.ts';
import type { Choices } from './commands/command.ts';
import { formatsNote, option } from './format-options.ts';
import { aliasOptions, profilersNote } from './profiler-options.ts';
import { type ResultOptions, resultOptions } from './result-options.ts';

/** The options that say what is measured, as commander leaves them. Aliases of options of profilers are further fields. */
export interface PlanOptions {
  readonly interval?: number;
  readonly follow: boolean;
  readonly stacks: boolean;
  readonly stackDepth: number;
  readonly bpftrace: string;
  readonly debug?: boolean;
}

/** All options of run, attach and system. */
export interface ProfileOptions extends PlanOptions, ResultOptions {
  /** Profilers with their options; the default ones when none are named. */
  readonly profilers?: string;
  readonly duration?: number;
  readonly unwind: Unwinder;
  readonly lines?: boolean;
  readonly symbolCache: boolean;
  readonly selfMeasure: boolean;
  readonly mapEntries?: number;
  readonly capture?: string;
  readonly quiet?: boolean;
}

/** The options that say what is measured. `script` has only these. */
export function planOptions({ formats, profilers }: Choices): Option[] {
  const sampled = formats.filter(({ samples }) => samples).map(({ name }) => name);
  return [
    option(
      '-i, --interval <time>',
      `print totals every TIME, as samples for --format ${sampled.join(' or ')}`,
    ).argParser(atLeast(10, 'ms')),
    ...aliasOptions(profilers),
    option('--no-follow', 'do not follow child processes'),
    option('--no-stacks', 'do not collect stacks'),
    option('--stack-depth <n>', 'maximum frames per stack, 1 to 127').argParser(parseDepth).default(127),
    bpftraceOption(),
    option('--debug', 'print the bpftrace program, its messages, and each step'),
  ];
}

/** All options of run, attach and system. */
export function profileOptions(choices: Choices): Option[] {
  const names = choices.profilers.map(({ name }) => name);
  const defaults = choices.profilers.filter(({ isDefault }) => isDefault).map(({ name }) => name);
  return [
    option(
      '-p, --profilers <list>',
      `profilers to run, comma-separated: ${names.join(', ')} (default: ${defaults.join(',')})`,
    ),
    option('-d, --duration <time>', 'stop after TIME, such as 10s, 500ms or 2m').argParser(atLeast(1, 'ms')),
    ...planOptions(choices),
    option(
      '--unwind <how>',
      'how to unwind user stacks: fp (frame pointers), dwarf (bpftrace 0.26 or newer, x86_64), or auto',
    )
      .choices(UNWINDERS)
      .default('fp'),
    option('--lines', 'show source files, lines and inlined functions; needs debug information'),
    option('--no-self-measure', 'do not measure the overhead of btprof'),
    option('--no-symbol-cache', 'do not use the symbol cache on disk'),
    option('--map-entries <n>', 'maximum entries per BPF map (default: depends on memory)').argParser(
      parseMapEntries,
    ),
    option('--capture <file>', "also save the run to FILE, for 'btprof report' and 'btprof diff'"),
    ...resultOptions(choices),
    option('-q, --quiet', 'print only the result and errors'),
  ];
}

/** What stands below the options of run, attach and system. */
export function profileNotes(choices: Choices): string {
  return `${profilersNote(choices.profilers)}\n${formatsNote(choices)}`;
}

export function bpftraceOption(): Option {
  return option('--bpftrace <path>', 'bpftrace executable to use')
    .argParser(parseCommand)
    .default('bpftrace');
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

function parseDepth(text: string): number {
  const n = Number(text);
  if (!/^\d+$/.test(text) || n < 1 || n > 127) throw new InvalidArgumentError('Give a number from 1 to 127.');
  return n;
}

/** Makes a path absolute, because the command may run in another directory. */
function parseCommand(text: string): string {
  return text.includes('/') ? resolve(text) : text;
}

function parseMapEntries(text: string): number {
  const n = Number(text);
  if (!/^\d+$/.test(text) || n < 1 || n > MOST_ENTRIES) {
    throw new InvalidArgumentError(`Give a number from 1 to ${MOST_ENTRIES}.`);
  }
  return n;
}
