import manifest from '../package.json' with { type: 'json' };

/** btprof's own version. */
export const VERSION: string = manifest.version;
