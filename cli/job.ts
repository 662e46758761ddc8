import { resolve } from 'node:path';
import { type Plan, timesCalls } from '../bt/compose.ts';
import type { CollectOptions } from '../bt/driver/collect.ts';
import { requireHost } from '../bt/driver/host.ts';
import type { Subject } from '../bt/driver/subject.ts';
import { UsageError } from '../bt/errors.ts';
import { newSymbolCache, type SymbolCache, symbolCacheDirectory } from '../bt/symbols/symbol-cache.ts';
import type { Unwinder } from '../bt/unwinder.ts';
import type { IdleMatch } from '../metrics/idle.ts';
import type { CaptureFile } from './capture-file.ts';
import type { SummaryLook } from './formats/summary/summary-page.ts';
import type { ProfileOptions } from './options.ts';
import { openOutput, type Sink, stderr } from './output.ts';
import { planOf } from './plan.ts';
import { type Renderer, rendererOf, summaryLook } from './render.ts';
import { type Format, formatOf } from './result-options.ts';
import { VERSION } from './version.ts';

/** What the three commands share. */
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
  readonly render: Renderer;
  /** How a summary looks on that descriptor; none when it goes to a file. */
  readonly look: (fd?: number) => SummaryLook;
  readonly host: Awaited<ReturnType<typeof requireHost>>;
  /** The file of --output; none when the result goes to a standard stream. */
  readonly file: Sink | undefined;
  /** The file of --capture. */
  readonly capture: CaptureFile | undefined;
  /** Whether a terminal is told how long it takes. */
  readonly progress: boolean;
  /** Tells the user something on stderr. */
  readonly say: (text: string) => void;
  readonly debug: (text: string) => void;
}

/** Everything that can be refused is refused here, before anything is started. */
export async function prepare(kind: Subject['kind'], options: ProfileOptions): Promise<Job> {
  const format = formatOf(options);
  const render = rendererOf(options);
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
    render,
    look: (fd) => summaryLook(options, fd),
    host,
    file: output === undefined ? undefined : openOutput(output),
    capture: capture === undefined ? undefined : (await import('./capture-file.ts')).openCapture(capture),
    progress: !options.quiet && !options.debug && (format !== 'jsonl' || options.output !== undefined),
    say: (text) => options.quiet || stderr.write(`btprof: ${text}\n`),
    debug: (text) => options.debug && stderr.write(`btprof: ${text}\n`),
  };
}

/** Options that do not go together. */
function refuseMisfits(kind: Subject['kind'], options: ProfileOptions, plan: Plan, format: Format): void {
  const { output, capture, unwind } = options;
  if (plan.intervalMs !== undefined && format !== 'jsonl' && capture === undefined) {
    throw new UsageError(
      '--interval needs --format jsonl or --capture: the other formats have one result.',
      undefined,
      2,
    );
  }
  if (options.syscallTimes && !timesCalls(plan)) {
    throw new UsageError('--syscall-times needs the profiler syscalls.', 'Type: -p offcpu,syscalls', 2);
  }
  if (unwind === 'dwarf' && kind === 'system') {
    throw new UsageError(
      'system cannot unwind by DWARF: bpftrace has to be told each process.',
      undefined,
      2,
    );
  }
  if (unwind !== 'fp' && kind === 'run' && plan.intervalMs !== undefined) {
    throw new UsageError('--interval and --unwind do not go together under run.', undefined, 2);
  }
  if (output !== undefined && capture !== undefined && resolve(output) === resolve(capture)) {
    throw new UsageError('--output and --capture name the same file.', undefined, 2);
  }
}

function openSymbolCache(wanted: boolean): SymbolCache | undefined {
  const directory = wanted ? symbolCacheDirectory() : undefined;
  return directory === undefined ? undefined : newSymbolCache(directory);
}

/** What `collect` needs of it. */
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
