import type { CommandDefinition } from './command.ts';

export const profilers: CommandDefinition = {
  name: 'profilers',
  summary: 'list the profilers, what they attach to, and their cost',
  description: 'List the profilers, what they attach to, and their cost.',
  action: async () => {
    const { profilersCommand } = await import('./profilers/profilers-command.ts');
    return profilersCommand();
  },
};
