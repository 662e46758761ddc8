import { Argument } from 'commander';
import { formatsNote } from '../format-options.ts';
import { type ResultOptions, resultOptions } from '../result-options.ts';
import type { CommandDefinition } from './command.ts';

export const report: CommandDefinition<readonly [capture: string], ResultOptions> = {
  name: 'report',
  usage: '[options] CAPTURE',
  summary: 'print a saved run again, in any format, on any machine',
  description:
    "Print a run that '--capture FILE' saved, in any format. Works on any machine, without root or bpftrace.",
  arguments: [new Argument('<capture>', 'file written by --capture; - for standard input')],
  options: resultOptions,
  notes: formatsNote,
  action: async ([capture], options) => {
    const { reportCommand } = await import('./report/report-command.ts');
    return reportCommand(capture, options);
  },
};
