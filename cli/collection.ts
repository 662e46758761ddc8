import { type Collecting, collect } from '../bt/driver/collect.ts';
import type { Collection } from '../bt/driver/finish.ts';
import type { Target } from '../bt/driver/target.ts';
import type { BtprofError } from '../metrics/errors.ts';
import type { Facts } from '../metrics/facts.ts';
import { readProfile } from '../metrics/profile.ts';
import type { Resolve } from '../metrics/symbols.ts';
import { formatBytes } from '../metrics/units.ts';
import { takeInterrupts } from './interrupts.ts';
import type { Job } from './job.ts';
import { type Sink, stderr, stdout } from './output.ts';
import { showProgress } from './progress.ts';
import { newSampler } from './sampler.ts';
import { newSpool } from './spool.ts';

export interface Performed {
  readonly collection: Collection;
  readonly resolve: Resolve;
  /** What went wrong meanwhile: the collection is incomplete, or samples could not be written. */
  readonly failure: BtprofError | undefined;
  /** Resolves when the user asks for the result now. */
  readonly stop: Promise<void>;
  /** Lets signals end btprof at once. Until then they go to the command, or ask for the result. */
  readonly restoreSignals: () => void;
  /** Writes the samples that had to wait for the command's end. */
  readonly flush: () => void;
}

/**
 * Collects until the target ends, the duration is over, or a signal asks for the result. It also ends when samples can no longer
 * be written, unless it is for a command or a capture.
 */
export async function perform(job: Job, target: Target): Promise<Performed> {
  const { plan, host, debug, capture } = job;
  let endProgress = () => {};
  const held = target.kind === 'run' ? target.held : undefined;
  const { stop: asked, restoreSignals } = takeInterrupts(held?.signal, () => {
    endProgress();
    job.say('aborted, no result');
    held?.abandon();
    process.exit(130);
  });
  const output = sampleOutput(job, target);
  const stop = held || capture ? asked : Promise.race([asked, output.broken]);
  const collecting = await collect(plan, host, target, { stop, debug, onLine: capture?.onLine });
  endProgress = begin(job, collecting.facts, output.write);
  try {
    await writeSamples(job, collecting, output.write);
    const collection = { ...(await collecting.result), idle: job.idle };
    const failure = collection.failure ?? output.failure();
    return { collection, failure, resolve: collecting.resolve, stop, restoreSignals, flush: output.flush };
  } finally {
    endProgress();
  }
}

/** Where samples go, while the collection lasts. */
interface SampleOutput {
  readonly write: (text: string) => void;
  /** Writes what had to wait. */
  readonly flush: () => void;
  /** Resolves when no more can be written: the reader went away, or the disk is full. */
  readonly broken: Promise<void>;
  readonly failure: () => BtprofError | undefined;
}

/** Under `run` without --output samples wait, because the command writes to stdout too. */
function sampleOutput({ file }: Job, { kind }: Target): SampleOutput {
  if (file || kind !== 'run') return { ...sinkOutput(file ?? stdout), flush: () => undefined };
  const spool = newSpool();
  return { ...sinkOutput(spool), flush: () => spool.copyTo(stdout) };
}

/** A sample that cannot be written is a failure of the end: until then the collection goes on. */
function sinkOutput(sink: Pick<Sink, 'write'>): Omit<SampleOutput, 'flush'> {
  let failure: BtprofError | undefined;
  let end = () => {};
  const broken = new Promise<void>((resolve) => {
    end = resolve;
  });
  const write = (text: string) => {
    if (failure) return;
    try {
      if (!sink.write(text)) end();
    } catch (error) {
      failure = error as BtprofError;
      end();
    }
  };
  return { write, broken, failure: () => failure };
}

/** Writes what is known at the beginning, and returns what ends the progress line. */
function begin(job: Job, facts: Facts, write: (text: string) => void): () => void {
  job.capture?.begin(facts, job.idle);
  if (job.samples) write(job.samples.begin(facts));
  if (facts.mode === 'run') return () => undefined; // the terminal is the command's
  if (job.plan.durationMs === undefined) job.say('collecting; press Ctrl-C to stop');
  return job.progress ? showProgress() : () => undefined;
}

/** Writes a sample for each interval, to the output and to the capture. */
async function writeSamples(
  { samples, capture, idle }: Job,
  { windows, resolve }: Collecting,
  write: (text: string) => void,
): Promise<void> {
  const readNext = newSampler();
  for await (const window of windows) {
    const writeLearned = capture?.sample(window);
    const { requests, assemble } = readNext({ ...window, idle });
    const symbols = await resolve(requests);
    writeLearned?.(symbols);
    if (samples) write(samples.sample(assemble(symbols)));
  }
}

/** Writes the result of `attach` and `system`, and returns the exit status. */
export async function finish(job: Job, performed: Performed): Promise<number> {
  const { collection, resolve, failure, restoreSignals } = performed;
  restoreSignals();
  await report(job, collection, resolve);
  await collection.close();
  throwFailures(job, failure);
  return 0;
}

/** Writes the result and ends the capture. */
export async function report(job: Job, collection: Collection, resolve: Resolve): Promise<void> {
  const { capture, file, plan } = job;
  const { facts, ending, measurements } = collection;
  const warned = { ...ending, warnings: [...ending.warnings, ...(capture?.warnings() ?? [])] };
  const { requests, assemble } = readProfile(collection, warned, plan.lines);
  const symbols = await resolve(requests);
  const profile = assemble(symbols);
  const bytes = capture?.end(facts, warned, symbols);
  const toStderr = job.isPage && facts.mode === 'run';
  const sink = file ?? (toStderr ? stderr : stdout);
  sink.write(await job.render({ profile, measurements }, file ? undefined : toStderr ? 2 : 1));
  file?.close();
  if (bytes !== undefined) job.say(`wrote capture (${formatBytes(bytes)})`);
}

/** Throws what went wrong during the collection, once the result is written. */
export function throwFailures({ capture }: Job, failure: BtprofError | undefined): void {
  const problem = failure ?? capture?.failure();
  if (problem) throw problem;
}
