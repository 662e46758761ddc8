import { Argument } from 'commander';
import { readVersion } from '../../bt/driver/bpftrace-version.ts';
import { type ProfileOptions, profileNotes, profileOptions } from '../options.ts';
import type { CommandDefinition } from './command.ts';

export const demo: CommandDefinition<readonly [name: string | undefined], ProfileOptions> = {
  name: 'demo',
  usage: '[NAME [options]]',
  summary: 'profile a built-in program and explain the result',
  description:
    'Profile a built-in program, as run does, and explain the result. Without a name, list the programs.',
  arguments: [new Argument('[name]')],
  options: profileOptions,
  notes: profileNotes,
  action: async ([name], options, { descriptors }) => {
    if (name !== undefined) void readVersion(options.bpftrace);
    const { demoCommand } = await import('./demo/demo-command.ts');
    return demoCommand(name, descriptors, options);
  },
};
