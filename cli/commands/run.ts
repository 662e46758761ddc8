import { Argument } from 'commander';
import { readVersion } from '../../bt/driver/bpftrace-version.ts';
import { rawArguments } from '../../bt/driver/inherited.ts';
import { type ProfileOptions, profileNotes, profileOptions } from '../options.ts';
import type { CommandDefinition } from './command.ts';

export const run: CommandDefinition<readonly [command: string, args: readonly string[]], ProfileOptions> = {
  name: 'run',
  usage: '[options] [--] COMMAND [ARG...]',
  summary: 'start a command and profile it with all its children',
  description:
    'Start a command and profile it with all its children. The exit status is that of the command.',
  arguments: [new Argument('<command>'), new Argument('[args...]')],
  options: profileOptions,
  notes: profileNotes,
  startsCommand: true,
  usageStatus: 125,
  action: async ([, args], options, { descriptors }) => {
    void readVersion(options.bpftrace); // bpftrace answers while the code is loaded
    const { runCommand } = await import('./run/run-command.ts');
    return runCommand(rawArguments(1 + args.length), descriptors, options);
  },
};
