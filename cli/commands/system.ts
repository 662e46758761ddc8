import { readVersion } from '../../bt/driver/bpftrace-version.ts';
import { type ProfileOptions, profileNotes, profileOptions } from '../options.ts';
import type { CommandDefinition } from './command.ts';

export const system: CommandDefinition<readonly [], ProfileOptions> = {
  name: 'system',
  summary: 'profile the whole machine',
  description: 'Profile every process of the machine except btprof itself, until Ctrl-C or --duration.',
  options: profileOptions,
  notes: profileNotes,
  action: async (_, options) => {
    void readVersion(options.bpftrace);
    const { systemCommand } = await import('./system/system-command.ts');
    return systemCommand(options);
  },
};
