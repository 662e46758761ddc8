import { isatty } from 'node:tty';
import { UsageError } from '../bt/errors.ts';
import type { Profile } from '../metrics/schema.ts';
import { stacksOf } from '../metrics/timed-stacks.ts';
import { jsonLine, jsonView } from './formats/json.ts';
import type { SummaryLook } from './formats/summary/summary-page.ts';
import { type Format, formatOf, type ResultOptions } from './result-options.ts';
import { lookOf } from './terminal.ts';

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
    const { summaryView } = await import('./formats/summary/summary-page.ts');
    return summaryView(profile, look);
  },
  json: jsonView,
  jsonl: jsonLine,
  folded: async (profile, { root = [] }) => {
    const { foldedView } = await import('./formats/folded/folded-stacks.ts');
    return foldedView(stacksOf(profile), root);
  },
  flamegraph: async (profile) => {
    const { flamegraphPage } = await import('./formats/flamegraph/flamegraph-page.ts');
    return flamegraphPage(profile);
  },
  speedscope: async (profile) => {
    const { speedscopeView } = await import('./formats/speedscope/speedscope-file.ts');
    return speedscopeView(profile);
  },
  pprof: async (profile) => {
    const { pprofView } = await import('./formats/pprof/pprof-profile.ts');
    return pprofView(profile);
  },
};
