import { setTimeout as sleep } from 'node:timers/promises';
import { BtprofError } from '../errors.ts';
import type { HeldTarget } from './held-target.ts';
import { openSession, type Session, type SessionOptions } from './session.ts';
import { nameThreads, threadsOf } from './threads.ts';
import type { ProgramRuns } from './tracer.ts';
import type { Hold } from './unwind.ts';

const INTERRUPTED = 'interrupted while the command was held at its entry: what came after is not counted.';

/**
 * Whether the command is stopped at its entry. When nobody waits for that any more, it goes on when it gets there, and also when
 * bpftrace ends: that may have stopped it before it could report so.
 */
async function isHeld(
  first: Session,
  target: HeldTarget,
  { giveUp, plan }: SessionOptions,
): Promise<boolean> {
  const waiting = new AbortController();
  const held = await Promise.race([
    first.entered.then(() => true),
    giveUp.then(() => false),
    first.tracer.ended.then(() => false),
    ...(plan.durationMs === undefined
      ? []
      : [sleep(plan.durationMs, false, { signal: waiting.signal }).catch(() => false)]),
  ]);
  waiting.abort();
  if (!held) void Promise.race([first.entered, first.tracer.ended]).then(() => target.signal('SIGCONT'));
  return held;
}

/** Constructors of libraries may have started threads and processes by then, which would be stopped in the middle. */
function isAlone({ recording }: Session, { pid }: HeldTarget): boolean {
  return recording.forks.length === 0 && threadsOf(pid).length === 1;
}

/** The command is held: what ran until now was of others. */
function withoutTimed(runs: ProgramRuns, { timed, timeNs }: ProgramRuns): ProgramRuns {
  return { skipped: runs.skipped, timed: runs.timed - timed, timeNs: runs.timeNs - timeNs };
}

/**
 * bpftrace reads unwind tables when it starts, and only a program that runs has any. So the command is stopped at its
 * entry, when its libraries are loaded, and a second bpftrace that knows them goes on. Nothing is lost or counted twice,
 * for nothing happens in between.
 *
 * @returns the session that goes on, or why there is none; when the first one is to go on, why
 */
export async function takeOverAtEntry(
  first: Session,
  target: HeldTarget,
  { isNeeded }: Hold,
  options: SessionOptions,
): Promise<Session | BtprofError | 'not held' | 'not needed'> {
  const { plan } = options;
  const { pid } = target;
  if (!(await isHeld(first, target, options))) return 'not held';
  try {
    if (!isNeeded(pid)) return 'not needed';
    if (!isAlone(first, target)) return 'not held';
    await first.printMaps();
    let runs = first.programRuns();
    first.tracer.kill();
    const second = await openSession({
      ...options,
      follow: { kind: 'named', by: process.pid, children: plan.children, stopped: true },
      threads: 1,
      dwarfPids: [pid],
      continues: { ...first, programRuns: () => runs },
    });
    nameThreads(() => [pid]);
    runs = withoutTimed(runs, second.tracer.programRuns());
    return second;
  } catch (error) {
    if (!(error instanceof BtprofError)) throw error;
    if (target.exit()) return 'not held';
    return error.status === 130 ? new BtprofError(INTERRUPTED, undefined, 130) : error;
  } finally {
    target.signal('SIGCONT');
  }
}
