import type { Plugin } from 'esbuild';
import { CATALOG } from '../cli/catalog.ts';

/** Replaces cli/catalog.ts with its value, so that a start that only prints help loads no profiler. */
export function catalogPlugin(): Plugin {
  return {
    name: 'catalog',
    setup({ onLoad }) {
      onLoad({ filter: /cli\/catalog\.ts$/ }, () => ({
        contents: `export const CATALOG = ${JSON.stringify(CATALOG)};`,
      }));
    },
  };
}
