import { isatty } from 'node:tty';
import { UsageError } from '../bt/errors.ts';
import type { Profile } from '../metrics/schema.ts';
import { stacksOf } from '../metrics/timed-stacks.ts';
import { type Format, formatOf, type ResultOptions } from './result-options.ts';
import { lookOf } from './terminal.ts';
import { jsonLine, jsonView } from './views/json.ts';
import type { SummaryLook } from './views/summary.ts';

/** Makes the bytes of a result. */
export type Renderer = (profile: Profile, look: SummaryLook) => Promise<string | Uint8Array>;

/**
 * How the result is to look, as the options have it.
 *
 * @throws UsageError when a terminal would get what is no text
 */
export function rendererOf(options: ResultOptions): Renderer {
  const format = formatOf(options);
  if (format === 'pprof' && options.output === undefined && isatty(1)) {
    throw new UsageError('pprof is no text for a terminal.', 'Type: -o FILE', 2);
  }
  return async (profile, look) => RENDERERS[format](profile, options, look);
}

/** How a summary looks on that descriptor; none when it goes to a file. */
export function summaryLook({ ascii, verbose, idle }: ResultOptions, fd?: number): SummaryLook {
  return { ...lookOf(fd, ascii), verbose: verbose ?? false, idle };
}

type Render = (
  profile: Profile,
  options: ResultOptions,
  look: SummaryLook,
) => string | Promise<string | Uint8Array>;

/** What is asked for is loaded then: the target waits for what is loaded before. */
const RENDERERS: Readonly<Record<Format, Render>> = {
  summary: async (profile, _, look) => {
    const { summaryView } = await import('./views/summary.ts');
    return summaryView(profile, look);
  },
  json: jsonView,
  jsonl: jsonLine,
  folded: async (profile, { root = [] }) => {
    const { foldedView } = await import('./views/folded.ts');
    return foldedView(stacksOf(profile), root);
  },
  flamegraph: async (profile) => {
    const { flamegraphPage } = await import('./views/flamegraph-page.ts');
    return flamegraphPage(profile);
  },
  speedscope: async (profile) => {
    const { speedscopeView } = await import('./views/speedscope.ts');
    return speedscopeView(profile);
  },
  pprof: async (profile) => {
    const { pprofView } = await import('./views/pprof.ts');
    return pprofView(profile);
  },
};
