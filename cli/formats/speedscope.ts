import type { Format } from './format.ts';

export const speedscope: Format = {
  name: 'speedscope',
  summary: 'for https://www.speedscope.app',
  render: async ({ profile, measurements }) => {
    const [{ stacksOf }, { speedscopeView }] = await Promise.all([
      import('../../metrics/timed-stacks.ts'),
      import('./speedscope/speedscope-file.ts'),
    ]);
    return speedscopeView(profile, stacksOf(profile, measurements));
  },
};
