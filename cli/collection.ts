import { type Collection, collect } from '../bt/driver/collect.ts';
import type { HeldTarget } from '../bt/driver/held-target.ts';
import type { Subject } from '../bt/driver/subject.ts';
import type { Tracer } from '../bt/driver/tracer.ts';
import { dwarfPids, type Hold } from '../bt/driver/unwind.ts';
import { assembleProfile } from '../metrics/profile.ts';
import { formatBytes } from '../metrics/units.ts';
import { takeInterrupts } from './interrupts.ts';
import { collectOptions, type Job } from './job.ts';
import { stderr, stdout } from './output.ts';
import { showProgress } from './progress.ts';

export interface Performed {
  readonly collection: Collection;
  /** Resolves when the user asks for the result now. */
  readonly stop: Promise<void>;
  /** Writes the samples that had to wait for the command's end. */
  readonly flush: () => void;
}

/**
 * Collects until the target ends, the duration is over, or a signal asks for the result.
 *
 * @param target the command that `run` holds
 */
export async function perform(
  job: Job,
  subject: Subject,
  target?: HeldTarget,
  hold?: Hold,
): Promise<Performed> {
  let tracer: Tracer | undefined;
  let endProgress = () => {};
  const killTracer = () => tracer?.kill();
  process.once('exit', killTracer);
  const interrupts = takeInterrupts(target?.signal, () => {
    endProgress();
    job.say('aborted, no result');
    killTracer();
    target?.abandon();
    process.exit(130);
  });
  const { samples } = job;
  const output = sampleOutput(job, subject);
  const { dialect, host } = job.host;
  const attached = subject.kind === 'attach' ? subject.pids : [];
  const collecting = collect({
    ...collectOptions(job),
    subject,
    dwarfPids: dwarfPids(job.unwind, attached, dialect, host.info.arch),
    hold,
    stop: interrupts.stop,
    onStart: (facts) => {
      job.capture?.begin(facts, job.idle);
      if (samples) output.write(samples.begin(facts));
      if (subject.kind === 'run') return; // the terminal is the command's
      if (job.plan.durationMs === undefined) job.say('collecting; press Ctrl-C to stop');
      if (job.progress) endProgress = showProgress();
    },
    onSample: (sample, mappings) => {
      if (samples) output.write(samples.sample(sample));
      job.capture?.tick(mappings);
    },
    onTracer: (started) => {
      tracer = started;
    },
  });
  const collection = await collecting.finally(() => endProgress());
  return { collection, stop: interrupts.stop, flush: output.flush };
}

/** Where samples go. Under `run` without --output they wait, because the command writes to stdout too. */
function sampleOutput({ file }: Job, { kind }: Subject) {
  if (file || kind !== 'run') return { write: (file ?? stdout).write, flush: () => undefined };
  const waiting: string[] = [];
  return { write: (text: string) => waiting.push(text), flush: () => stdout.write(waiting.join('')) };
}

/** Writes the result of `attach` and `system`, and returns the exit status. */
export async function finish(job: Job, collection: Collection): Promise<number> {
  await report(job, collection);
  await collection.close();
  throwFailures(job, collection);
  return 0;
}

/** Writes the result and ends the capture. */
export async function report(job: Job, { recording, facts, ending, symbols }: Collection): Promise<void> {
  const { capture, file } = job;
  const warned = { ...ending, warnings: [...ending.warnings, ...(capture?.warnings() ?? [])] };
  const profile = assembleProfile(recording, facts, warned, symbols, job.idle);
  const bytes = capture?.end(facts, warned);
  const toStderr = job.format.isPage && facts.mode === 'run';
  const sink = file ?? (toStderr ? stderr : stdout);
  sink.write(await job.render(profile, job.look(file ? undefined : toStderr ? 2 : 1)));
  file?.close();
  if (bytes !== undefined) job.say(`wrote capture (${formatBytes(bytes)})`);
}

/** Throws what went wrong during the collection, once the result is written. */
export function throwFailures({ capture }: Job, { failure }: Collection): void {
  const problem = failure ?? capture?.failure();
  if (problem) throw problem;
}
