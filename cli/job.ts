import { resolve } from 'node:path';
import { type Plan, timesCalls } from '../bt/compose.ts';
import type { CollectOptions } from '../bt/driver/collect.ts';
import { requireHost } from '../bt/driver/host.ts';
import type { Subject } from '../bt/driver/subject.ts';
import { UsageError } from '../bt/errors.ts';
import { newSymbolCache, type SymbolCache, symbolCacheDirectory } from '../bt/symbols/symbol-cache.ts';
import type { Unwinder } from '../bt/unwinder.ts';
import type { IdleMatch } from '../metrics/idle.ts';
import type { Profile } from '../metrics/schema.ts';
import type { CaptureFile } from './capture-file.ts';
import type { Format, Rendered, ResultLook, SampleWriter } from './formats/format.ts';
import { FORMATS } from './formats/registry.ts';
import type { ProfileOptions } from './options.ts';
import { openOutput, type Sink, stderr } from './output.ts';
import { planOf } from './plan.ts';
import { formatOf, resultLook } from './render.ts';
import { VERSION } from './version.ts';

/** A run, attach or system command that is ready to start. */
export interface Job {
  readonly plan: Plan;
  readonly format: Format;
  /** The bpftrace command; a path is absolute. */
  readonly bpftrace: string;
  readonly unwind: Unwinder;
  readonly lines: boolean;
  readonly symbolCache: SymbolCache | undefined;
  readonly selfMeasure: boolean;
  readonly idle: readonly IdleMatch[];
  readonly render: (profile: Profile, look: ResultLook) => Rendered | Promise<Rendered>;
  /** Writes samples, if the format has them. */
  readonly samples: SampleWriter | undefined;
  /** How a page looks on that descriptor; undefined for a file. */
  readonly look: (fd?: number) => ResultLook;
  readonly host: Awaited<ReturnType<typeof requireHost>>;
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
export async function prepare(kind: Subject['kind'], options: ProfileOptions): Promise<Job> {
  const format = formatOf(options);
  const plan = planOf(options);
  refuseMisfits(kind, options, plan, format);
  const { bpftrace, output, capture } = options;
  const host = await requireHost(bpftrace);
  return {
    plan,
    format,
    bpftrace,
    unwind: options.unwind,
    lines: options.lines ?? false,
    symbolCache: openSymbolCache(options.symbolCache),
    selfMeasure: options.selfMeasure,
    idle: options.idleMatch ?? [],
    render: (profile, look) => format.render(profile, options, look),
    samples: await format.samples?.(),
    look: (fd) => resultLook(options, fd),
    host,
    file: output === undefined ? undefined : openOutput(output),
    capture: capture === undefined ? undefined : (await import('./capture-file.ts')).openCapture(capture),
    progress: !options.quiet && !options.debug && (!format.samples || options.output !== undefined),
    say: (text) => options.quiet || stderr.write(`btprof: ${text}\n`),
    debug: (text) => options.debug && stderr.write(`btprof: ${text}\n`),
  };
}

/** Refuses options that do not go together. */
function refuseMisfits(kind: Subject['kind'], options: ProfileOptions, plan: Plan, format: Format): void {
  const { output, capture, unwind } = options;
  const sampled = FORMATS.filter(({ samples }) => samples).map(({ name }) => `--format ${name}`);
  if (plan.intervalMs !== undefined && !format.samples && capture === undefined) {
    throw new UsageError(
      `--interval needs ${sampled.join(' or ')} or --capture: the other formats have a single result.`,
      undefined,
      2,
    );
  }
  if (options.syscallTimes && !timesCalls(plan)) {
    throw new UsageError('--syscall-times needs the profiler syscalls.', 'Type: -p offcpu,syscalls', 2);
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
  if (output !== undefined && capture !== undefined && resolve(output) === resolve(capture)) {
    throw new UsageError('--output and --capture name the same file.', undefined, 2);
  }
}

function openSymbolCache(wanted: boolean): SymbolCache | undefined {
  const directory = wanted ? symbolCacheDirectory() : undefined;
  return directory === undefined ? undefined : newSymbolCache(directory);
}

/** The part of a job that `collect` takes. */
export function collectOptions({
  plan,
  host,
  bpftrace,
  lines,
  symbolCache,
  selfMeasure,
  idle,
  capture,
  debug,
}: Job) {
  const measured = {
    plan,
    host: host.host,
    dialect: host.dialect,
    bpftrace,
    lines,
    symbolCache,
    selfMeasure,
  };
  return { ...measured, idle, keeper: capture, version: VERSION, debug } satisfies Partial<CollectOptions>;
}
