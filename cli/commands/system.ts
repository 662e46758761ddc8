import { askVersion } from '../../bt/driver/version-question.ts';
import { formatsNote } from '../format-options.ts';
import { type ProfileOptions, profileOptions } from '../options.ts';
import type { CommandDefinition } from './command.ts';

export const system: CommandDefinition<readonly [], ProfileOptions> = {
  name: 'system',
  summary: 'profile the whole machine',
  description: 'Profile every process of the machine except btprof itself, until Ctrl-C or --duration.',
  options: profileOptions,
  notes: formatsNote,
  action: async (_, options) => {
    void askVersion(options.bpftrace);
    const { systemCommand } = await import('./system/system-command.ts');
    return systemCommand(options);
  },
};
