import { CATALOG } from '../catalog.ts';
import { stdout } from '../output.ts';
import type { ProfilerChoice } from '../profiler-choice.ts';
import type { CommandDefinition } from './command.ts';

export const profilers: CommandDefinition = {
  name: 'profilers',
  summary: 'list the profilers, what they attach to, and their cost',
  description: 'List the profilers, what they attach to, and their cost.',
  action: async () => {
    stdout.write(`${CATALOG.map(describe).join('\n\n')}\n`);
    return 0;
  },
};

function describe({ name, summary, attachesTo, cost, caveats }: ProfilerChoice): string {
  return [
    `${name}: ${summary}`,
    `  attaches to  ${attachesTo.join(', ')}`,
    `  cost         ${cost}`,
    ...caveats.map((caveat) => `  note         ${caveat}`),
  ].join('\n');
}
