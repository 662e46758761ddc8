import type { Format } from './format.ts';

export const pprof: Format = {
  name: 'pprof',
  summary: "for 'go tool pprof'; binary",
  isBinary: true,
  render: async (result) => {
    const { pprofView } = await import('./pprof/pprof-profile.ts');
    return pprofView(result);
  },
};
