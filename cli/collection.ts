import { type Collecting, collect } from '../bt/driver/collect.ts';
import type { Collection } from '../bt/driver/finish.ts';
import type { Target } from '../bt/driver/target.ts';
import type { Facts } from '../metrics/facts.ts';
import { readProfile } from '../metrics/profile.ts';
import type { Resolve } from '../metrics/symbols.ts';
import { formatBytes } from '../metrics/units.ts';
import { takeInterrupts } from './interrupts.ts';
import type { Job } from './job.ts';
import { stderr, stdout } from './output.ts';
import { showProgress } from './progress.ts';
import { newSampler } from './sampler.ts';

export interface Performed {
  readonly collection: Collection;
  readonly resolve: Resolve;
  /** Resolves when the user asks for the result now. */
  readonly stop: Promise<void>;
  /** Writes the samples that had to wait for the command's end. */
  readonly flush: () => void;
}

/** Collects until the target ends, the duration is over, or a signal asks for the result. */
export async function perform(job: Job, target: Target): Promise<Performed> {
  let endProgress = () => {};
  const held = target.kind === 'run' ? target.held : undefined;
  const { stop } = takeInterrupts(held?.signal, () => {
    endProgress();
    job.say('aborted, no result');
    held?.abandon();
    process.exit(130);
  });
  const { plan, host, debug, capture } = job;
  const collecting = await collect(plan, host, target, { stop, debug, onLine: capture?.onLine });
  const output = sampleOutput(job, target);
  endProgress = begin(job, collecting.facts, output.write);
  try {
    await writeSamples(job, collecting, output.write);
    const collection = { ...(await collecting.result), idle: job.idle };
    return { collection, resolve: collecting.resolve, stop, flush: output.flush };
  } finally {
    endProgress();
  }
}

/** Where samples go. Under `run` without --output they wait, because the command writes to stdout too. */
function sampleOutput({ file }: Job, { kind }: Target) {
  if (file || kind !== 'run') return { write: (file ?? stdout).write, flush: () => undefined };
  const waiting: string[] = [];
  return { write: (text: string) => waiting.push(text), flush: () => stdout.write(waiting.join('')) };
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
export async function finish(job: Job, { collection, resolve }: Performed): Promise<number> {
  await report(job, collection, resolve);
  await collection.close();
  throwFailures(job, collection);
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
export function throwFailures({ capture }: Job, { failure }: Collection): void {
  const problem = failure ?? capture?.failure();
  if (problem) throw problem;
}
