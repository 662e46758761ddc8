import { resolve } from 'node:path';
import type { Plan } from '../bt/compose.ts';
import { type Host, requireHost } from '../bt/driver/host.ts';
import type { Target } from '../bt/driver/target.ts';
import { UsageError } from '../metrics/errors.ts';
import type { IdleMatch } from '../metrics/measurement.ts';
import type { CaptureFile } from './capture-file.ts';
import type { Format, Rendered, Result, SampleWriter } from './formats/format.ts';
import { FORMATS } from './formats/format-registry.ts';
import type { ProfileOptions } from './options.ts';
import { type Sink, stderr } from './output.ts';
import { escapeControls } from './plain-text.ts';
import { planOf } from './plan.ts';
import { formatOf, resultLook } from './render.ts';
import { isSameFile, openResult } from './result-output.ts';
import { VERSION } from './version.ts';

/** A run, attach or system command that is ready to start: what to measure, where, and what to do with the result. */
export interface Job {
  readonly plan: Plan;
  readonly host: Host;
  readonly idle: readonly IdleMatch[];
  /** Whether the result is a page for people. */
  readonly isPage: boolean;
  /** Makes the bytes of the result, for that descriptor; undefined for a file. */
  readonly render: (result: Result, fd?: number) => Promise<Rendered>;
  /** Writes samples, if the format has them. */
  readonly samples: SampleWriter | undefined;
  /** The file of --output; undefined when the result goes to a standard stream. */
  readonly file: Sink | undefined;
  /** The file of --capture. */
  readonly capture: CaptureFile | undefined;
  /** Whether to show the elapsed time on a terminal. */
  readonly progress: boolean;
  /** Prints a message on stderr, except with --quiet. */
  readonly say: (text: string) => void;
  readonly debug: (text: string) => void;
}

/** Checks the options and the host, before anything is started. */
export async function prepare(kind: Target['kind'], options: ProfileOptions): Promise<Job> {
  const format = formatOf(options);
  const plan = planOf(options);
  refuseMisfits(kind, options, plan, format);
  const { output, capture } = options;
  const host = await requireHost(options.bpftrace, VERSION);
  return {
    plan,
    host,
    idle: options.idleMatch ?? [],
    isPage: format.isPage ?? false,
    render: async (result, fd) => format.render(result, options, await resultLook(options, fd)),
    samples: await format.samples?.(),
    file: output === undefined ? undefined : openResult(output, { grows: format.samples !== undefined }),
    capture: capture === undefined ? undefined : (await import('./capture-file.ts')).openCapture(capture),
    progress: !options.quiet && !options.debug && (!format.samples || output !== undefined),
    say: (text) => {
      if (!options.quiet) stderr.write(escapeControls(`btprof: ${text}\n`));
    },
    debug: (text) => {
      if (options.debug) stderr.write(escapeControls(`btprof: ${text}\n`));
    },
  };
}

/** Refuses options that do not go together. */
function refuseMisfits(kind: Target['kind'], options: ProfileOptions, plan: Plan, format: Format): void {
  const { output, capture, unwind } = options;
  const sampled = FORMATS.filter(({ samples }) => samples).map(({ name }) => `--format ${name}`);
  if (plan.intervalMs !== undefined && !format.samples && capture === undefined) {
    throw new UsageError(
      `--interval needs ${sampled.join(' or ')} or --capture: the other formats have a single result.`,
      undefined,
      2,
    );
  }
  if (unwind === 'dwarf' && kind === 'system') {
    throw new UsageError(
      'system cannot use --unwind dwarf: bpftrace needs to know each process in advance.',
      undefined,
      2,
    );
  }
  if (unwind !== 'fp' && kind === 'run' && plan.intervalMs !== undefined) {
    throw new UsageError('run cannot combine --interval with --unwind dwarf or auto.', undefined, 2);
  }
  const isOne = (a: string, b: string) => resolve(a) === resolve(b) || isSameFile(a, b);
  if (output !== undefined && capture !== undefined && isOne(output, capture)) {
    throw new UsageError('--output and --capture name the same file.', undefined, 2);
  }
}
