import { type Collection, collect } from '../bt/driver/collect.ts';
import { resolveCommand } from '../bt/driver/command.ts';
import { exitStatus, type HeldTarget, holdTarget } from '../bt/driver/held-target.ts';
import { rawEnvironment } from '../bt/driver/inherited.ts';
import type { Subject } from '../bt/driver/subject.ts';
import { isAlive, isKernelThread, processOf } from '../bt/driver/threads.ts';
import type { Tracer } from '../bt/driver/tracer.ts';
import { dwarfHold, dwarfPids, type Hold } from '../bt/driver/unwind.ts';
import { BtprofError } from '../bt/errors.ts';
import { assembleProfile } from '../metrics/profile.ts';
import { formatBytes } from '../metrics/units.ts';
import { jsonLine, metadataLine } from './formats/json.ts';
import { takeInterrupts } from './interrupts.ts';
import { collectOptions, type Job, prepare } from './job.ts';
import type { ProfileOptions } from './options.ts';
import { stderr, stdout } from './output.ts';
import { showProgress } from './progress.ts';

/**
 * `btprof run`.
 *
 * @param command its words, which need be no UTF-8
 * @param descriptors those above 2 that we were started with
 * @returns the exit status
 */
export async function runCommand(
  command: readonly Buffer[],
  descriptors: readonly number[],
  options: ProfileOptions,
): Promise<number> {
  const environment = rawEnvironment();
  const executable = resolveCommand(command[0] as Buffer, environment);
  const job = await prepare('run', options);
  const { dialect, host } = job.host;
  const waits = job.plan.stacks && job.plan.profilers.some((profiler) => profiler.name === 'offcpu');
  const hold = waits ? dwarfHold(job.unwind, executable, dialect, host.info.arch) : undefined;
  const target = holdTarget(command, environment, descriptors);
  const cmd = command.map((word) => word.toString());
  const subject = { kind: 'run', target, cmd, executable } as const;
  try {
    const { collection, stop, flush } = await perform(job, subject, target, hold);
    if (!recordedNothing(collection)) {
      // A result on a standard stream would mix with what the command writes, unless it is asked for now.
      if (!job.file) await Promise.race([target.exited, stop]);
      flush();
      await report(job, { ...collection, ending: { ...collection.ending, exit: target.exit() } });
      if (!target.exit()) job.say(`process ${target.pid} goes on; waiting for it to end (Ctrl-C leaves it)`);
    }
    await collection.close();
    const status = exitStatus(await target.exited);
    throwFailures(job, collection);
    return status;
  } finally {
    target.abandon();
  }
}

/**
 * `btprof attach`.
 *
 * @throws BtprofError when one of the processes is not there
 */
export async function attachCommand(pids: readonly number[], options: ProfileOptions): Promise<number> {
  const job = await prepare('attach', options);
  const distinct = [...new Set(pids)];
  requireProcesses(distinct);
  const { collection } = await perform(job, { kind: 'attach', pids: distinct });
  return finish(job, collection);
}

function requireProcesses(pids: readonly number[]): void {
  const missing = pids.filter((pid) => !isAlive(pid));
  if (missing.length > 0) {
    throw new BtprofError(
      `there is no process ${missing.join(', ')}.`,
      "'ps -e' or 'pgrep NAME' lists those that run.",
    );
  }
  for (const pid of pids) {
    const leader = processOf(pid);
    if (leader !== undefined && leader !== pid) {
      throw new BtprofError(`${pid} is a thread of process ${leader}.`, `Type: btprof attach ${leader}`);
    }
  }
  const kernel = pids.find(isKernelThread);
  if (kernel !== undefined) {
    throw new BtprofError(`process ${kernel} is a kernel thread, and btprof follows programs.`);
  }
  if (pids.includes(process.pid)) throw new BtprofError('btprof cannot profile itself.');
}

/** `btprof system`. */
export async function systemCommand(options: ProfileOptions): Promise<number> {
  const job = await prepare('system', options);
  const { collection } = await perform(job, { kind: 'system' });
  return finish(job, collection);
}

interface Performed {
  readonly collection: Collection;
  /** Resolves when the user asks for the result now. */
  readonly stop: Promise<void>;
  /** Writes the lines of a jsonl result that had to wait for the command's end. */
  readonly flush: () => void;
}

async function perform(job: Job, subject: Subject, target?: HeldTarget, hold?: Hold): Promise<Performed> {
  let tracer: Tracer | undefined;
  let endProgress = () => {};
  const killTracer = () => tracer?.kill();
  process.once('exit', killTracer);
  const interrupts = takeInterrupts(target?.signal, () => {
    endProgress();
    job.say('stopped at once, without a result');
    killTracer();
    target?.abandon();
    process.exit(130);
  });
  const lines = lineWriter(job, subject);
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
      lines?.write(jsonLine(metadataLine(facts)));
      if (subject.kind === 'run') return; // the terminal is the command's
      if (job.plan.durationMs === undefined) job.say('collecting; Ctrl-C ends it');
      if (job.progress) endProgress = showProgress();
    },
    onSample: (sample, mappings) => {
      lines?.write(jsonLine(sample));
      job.capture?.tick(mappings);
    },
    onTracer: (started) => {
      tracer = started;
    },
  });
  const collection = await collecting.finally(() => endProgress());
  return { collection, stop: interrupts.stop, flush: () => lines?.flush() };
}

/** Lines of a jsonl result; under `run` without --output they wait, for the command writes to stdout too. */
function lineWriter(
  { format, file }: Job,
  subject: Subject,
): { write: (line: string) => void; flush: () => void } | undefined {
  if (format !== 'jsonl') return undefined;
  if (file) return { write: file.write, flush: () => undefined };
  if (subject.kind !== 'run') return { write: stdout.write, flush: () => undefined };
  const waiting: string[] = [];
  return { write: (line) => waiting.push(line), flush: () => stdout.write(waiting.join('')) };
}

async function finish(job: Job, collection: Collection): Promise<number> {
  await report(job, collection);
  await collection.close();
  throwFailures(job, collection);
  return 0;
}

async function report(job: Job, { recording, facts, ending, symbols }: Collection): Promise<void> {
  const { capture, file } = job;
  const warned = { ...ending, warnings: [...ending.warnings, ...(capture?.warnings() ?? [])] };
  const profile = assembleProfile(recording, facts, warned, symbols, job.idle);
  const bytes = capture?.end(facts, warned);
  const toStderr = job.format === 'summary' && facts.mode === 'run';
  const sink = file ?? (toStderr ? stderr : stdout);
  sink.write(await job.render(profile, job.look(file ? undefined : toStderr ? 2 : 1)));
  file?.close();
  if (bytes !== undefined) job.say(`the capture has ${formatBytes(bytes)}`);
}

/** What went wrong in the middle is an error once the result is there. */
function throwFailures({ capture }: Job, { failure }: Collection): void {
  const problem = failure ?? capture?.failure();
  if (problem) throw problem;
}

/** The held process ended without becoming the command: env has said why, and there is nothing to report. */
function recordedNothing({ recording, facts, failure }: Collection): boolean {
  const counted = [...recording.maps.values()].some((entries) => entries.length > 0);
  return !failure && !counted && !recording.execs.some((exec) => exec.pid === facts.pids[0]);
}
