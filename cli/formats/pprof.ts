import type { Format } from './format.ts';

export const pprof: Format = {
  name: 'pprof',
  summary: "for 'go tool pprof' (gzip-compressed profile.proto)",
  isBinary: true,
  render: async (profile) => {
    const { pprofView } = await import('./pprof/pprof-profile.ts');
    return pprofView(profile);
  },
};
