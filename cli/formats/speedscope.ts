import type { Format } from './format.ts';

export const speedscope: Format = {
  name: 'speedscope',
  summary: 'for https://www.speedscope.app',
  render: async (profile) => {
    const { speedscopeView } = await import('./speedscope/speedscope-file.ts');
    return speedscopeView(profile);
  },
};
