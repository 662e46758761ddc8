import { setTimeout as sleep } from 'node:timers/promises';
import { BtprofError } from '../../metrics/errors.ts';
import { currentSession, type Recorder } from '../../metrics/recording.ts';
import type { Plan } from '../compose.ts';
import { nameThreads, threadsOf } from './proc-threads.ts';
import type { Session } from './session.ts';
import type { RunTarget, Scope } from './target.ts';
import type { ProgramRuns } from './tracer.ts';

/** The session in which a collection continues. */
export interface TakeOver {
  readonly session: Session;
  /** Whether the command was to be unwound by DWARF. */
  readonly wanted: boolean;
  /** Why bpftrace cannot continue. */
  readonly failure?: BtprofError;
}

/**
 * Lets a second bpftrace take over when the command reaches its entry point. bpftrace reads the unwind tables of
 * running processes when it starts, so it must start after the libraries of the command are loaded. The command is
 * stopped meanwhile, so nothing is lost or counted twice. The recorder merges both sessions.
 *
 * @param open opens a second session
 * @param giveUp settles when waiting is pointless
 */
export async function takeOverAtEntry(
  first: Session,
  { held, stopAtEntry }: RunTarget,
  recorder: Recorder,
  plan: Plan,
  giveUp: Promise<unknown>,
  open: (scope: Scope) => Promise<Session>,
): Promise<TakeOver> {
  if (!stopAtEntry) return { session: first, wanted: false };
  const { pid } = held;
  if (!(await isStopped(first, held.signal, giveUp, plan.durationMs)))
    return { session: first, wanted: true };
  try {
    if (!stopAtEntry.isNeeded(pid)) return { session: first, wanted: false };
    if (!isAlone(recorder, pid)) return { session: first, wanted: true };
    return { session: await switchSessions(first, pid, plan.children, open), wanted: true };
  } catch (error) {
    if (!(error instanceof BtprofError)) throw error;
    if (held.exit()) return { session: first, wanted: true };
    return { session: first, wanted: true, failure: error.status === 130 ? INTERRUPTED : error };
  } finally {
    held.signal('SIGCONT');
  }
}

const INTERRUPTED = new BtprofError(
  'interrupted while the command was held at its entry point: nothing after that was counted.',
  undefined,
  130,
);

/**
 * Waits until the command is stopped at its entry point. After `giveUp`, a command that is stopped later is resumed at
 * once. It is also resumed if bpftrace ends, because bpftrace may have stopped it without reporting it.
 */
async function isStopped(
  { entered, tracer }: Session,
  signal: (signal: NodeJS.Signals) => void,
  giveUp: Promise<unknown>,
  durationMs: number | undefined,
): Promise<boolean> {
  const waiting = new AbortController();
  const stopped = await Promise.race([
    entered.then(() => true),
    giveUp.then(() => false),
    tracer.ended.then(() => false),
    ...(durationMs === undefined
      ? []
      : [sleep(durationMs, false, { signal: waiting.signal }).catch(() => false)]),
  ]);
  waiting.abort();
  if (!stopped) void Promise.race([entered, tracer.ended]).then(() => signal('SIGCONT'));
  return stopped;
}

/**
 * Tells whether the command has one thread and no children. Constructors of libraries may have started some, which
 * would be stopped at a random point.
 */
function isAlone(recorder: Recorder, pid: number): boolean {
  return currentSession(recorder).forks.length === 0 && threadsOf(pid).length === 1;
}

/**
 * Ends the first session and opens the second, in which the stopped command is known.
 *
 * @throws BtprofError when the first one has not printed all its maps, or the second one does not start
 */
async function switchSessions(
  first: Session,
  pid: number,
  children: boolean,
  open: (scope: Scope) => Promise<Session>,
): Promise<Session> {
  const { failure } = await first.printMaps();
  const before = first.programRuns();
  first.tracer.kill();
  if (failure) throw failure;
  const follow = { kind: 'named', by: process.pid, children, stopped: true } as const;
  const second = await open({ follow, threads: 1, dwarfPids: [pid] });
  nameThreads(() => [pid]);
  const earlier = withoutTimed(before, second.programRuns());
  return { ...second, programRuns: () => addRuns(second.programRuns(), earlier) };
}

/** Subtracts the runs of the second session so far, because the command was stopped until now. */
function withoutTimed(runs: ProgramRuns, { timed, timeNs }: ProgramRuns): ProgramRuns {
  return { skipped: runs.skipped, timed: runs.timed - timed, timeNs: runs.timeNs - timeNs };
}

function addRuns(a: ProgramRuns, b: ProgramRuns): ProgramRuns {
  return { skipped: a.skipped + b.skipped, timed: a.timed + b.timed, timeNs: a.timeNs + b.timeNs };
}
