import { Argument } from 'commander';
import { type PlanOptions, planOptions } from '../options.ts';
import { profilersNote } from '../profiler-options.ts';
import type { CommandDefinition } from './command.ts';

export const script: CommandDefinition<readonly [profilers: readonly string[]], PlanOptions> = {
  name: 'script',
  usage: '[options] [PROFILER...]',
  summary: 'print the bpftrace program, with comments',
  description:
    "Print the bpftrace program that would run, with comments. bpftrace can run it without btprof: 'bpftrace FILE PID'.",
  arguments: [new Argument('[profiler...]')],
  options: planOptions,
  notes: ({ profilers }) => profilersNote(profilers),
  action: async ([names], options) => {
    const { scriptCommand } = await import('./script/script-command.ts');
    return scriptCommand(names, options);
  },
};
