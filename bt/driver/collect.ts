import { setTimeout as sleep } from 'node:timers/promises';
import { BtprofError, interrupted } from '../../metrics/errors.ts';
import type { Facts } from '../../metrics/facts.ts';
import type { Resolve } from '../../metrics/symbols.ts';
import type { Plan } from '../compose.ts';
import type { Stopping } from './ending.ts';
import { spawnResumeGuard } from './entry.ts';
import { type Collection, finishCollection } from './finish.ts';
import type { Exit } from './held-target.ts';
import type { Host } from './host.ts';
import { initialFacts } from './initial-facts.ts';
import { newLineReader, type Snapshot } from './line-reader.ts';
import type { Observer } from './observer.ts';
import { hasExited } from './proc-threads.ts';
import { newProcessState, type ProcessState } from './process-state.ts';
import { tryRead } from './procfs.ts';
import { type ProgramTiming, timePrograms } from './program-time.ts';
import { measureSelf } from './self-measure.ts';
import { type Session, type StartedSession, startSession } from './session.ts';
import { stopReason } from './stop-reason.ts';
import { takeOverAtEntry } from './take-over.ts';
import { type Scope, scopeOf, startTarget, type Target } from './target.ts';

/** A collection that has begun. */
export interface Collecting {
  readonly facts: Facts;
  /**
   * One snapshot for each complete print at an interval. If the reader is too slow, a newer snapshot replaces the
   * waiting one.
   */
  readonly windows: AsyncIterable<Snapshot>;
  /** Names addresses of the followed processes. */
  readonly resolve: Resolve;
  /** Resolves when the collection has ended and everything is read. */
  readonly result: Promise<Collection>;
}

/**
 * Runs one bpftrace program, from before the target starts until it ends. Resolves when the collection has begun.
 *
 * @throws BtprofError when nothing could be collected at all
 */
export async function collect(
  plan: Plan,
  host: Host,
  target: Target,
  observer: Observer,
): Promise<Collecting> {
  leaveGoneDirectory();
  const state = newProcessState(plan);
  const reader = newLineReader(plan, state, observer);
  const start = (scope: Scope) =>
    startSession(plan, host, scope, { read: reader.read, debug: observer.debug });
  const begun = await begin(plan, host, target, state, observer.stop, start);
  reader.begin(begun.facts);
  const result = finish(begun, observer).finally(reader.end);
  result.catch(() => undefined); // whoever reads the windows first asks for it later
  return { facts: begun.facts, windows: reader.windows, resolve: state.resolver.resolve, result };
}

/** execa wants to know the current directory when a child fails, and throws if it is gone. The command has started in it by now. */
function leaveGoneDirectory(): void {
  if (tryRead(() => process.cwd()) === undefined) process.chdir('/');
}

/** A collection that has begun, with everything that must be stopped after it. */
interface Begun extends Stopping {
  readonly timing: ProgramTiming | undefined;
  readonly endGuard: (() => void) | undefined;
}

async function begin(
  plan: Plan,
  host: Host,
  target: Target,
  state: ProcessState,
  stop: Promise<void>,
  start: (scope: Scope) => Promise<StartedSession>,
): Promise<Begun> {
  const giveUp = givenUp(target, stop.then(interrupted));
  const endGuard =
    target.kind === 'run' && target.stopAtEntry ? spawnResumeGuard(target.held.pid) : undefined;
  const { first, timing } = await openFirst(await start(scopeOf(target, plan.children)), plan, state, giveUp);
  const measure = measureSelf(timing, first);
  const [began, t0Ms] = [performance.now(), Date.now()];
  const named = startTarget(target, state.mappings, [process.pid, first.tracer.pid, timing?.pid]);
  if (target.kind === 'attach' && named.every(hasExited)) {
    first.tracer.kill();
    timing?.stop();
    throw endedTooSoon(target.pids);
  }
  const open = async (scope: Scope) => (await start(scope)).live(giveUp);
  const takeOver =
    target.kind === 'run'
      ? await takeOverAtEntry(first, target, state.recorder, plan, giveUp, open)
      : { session: first, wanted: false };
  const { session } = takeOver;
  measure.continueWith(session);
  const facts = initialFacts(plan, host, target, session, { t0Ms, named, tookOver: session !== first });
  return { plan, host, target, state, facts, began, takeOver, measure, timing, endGuard };
}

/** Resolves with the reason when waiting for bpftrace is pointless. */
function givenUp(target: Target, stopped: Promise<BtprofError>): Promise<BtprofError> {
  if (target.kind !== 'run') return stopped;
  // A signal to the whole process group ends that process, too. Then ours is the reason.
  const ended = target.held.exited.then((exit) =>
    Promise.race([stopped, sleep(SAME_SIGNAL_MS, endedWhileHeld(exit), { ref: false })]),
  );
  return Promise.race([stopped, ended]);
}

const SAME_SIGNAL_MS = 200;

function endedWhileHeld({ code, signal }: Exit): BtprofError {
  return new BtprofError(
    `the process that was to become the command ended ${signal ? `by ${signal}` : `with status ${code}`}: the command never ran.`,
    'Something on this host ended it before bpftrace was ready. Type the command again.',
  );
}

function endedTooSoon(pids: readonly number[]): BtprofError {
  const what = pids.length === 1 ? `process ${pids[0]}` : `processes ${pids.join(', ')}`;
  return new BtprofError(
    `${what} ended before bpftrace was ready.`,
    'To profile a short command from its start, type: btprof run COMMAND',
  );
}

/** While bpftrace starts, kernel symbols are read and the kernel is asked to time our programs. */
async function openFirst(
  { live }: StartedSession,
  plan: Plan,
  { resolver }: ProcessState,
  giveUp: Promise<BtprofError>,
): Promise<{ first: Session; timing: ProgramTiming | undefined }> {
  const asked = plan.selfMeasure ? timePrograms() : undefined;
  resolver.prefetch();
  const [first, timing] = await Promise.all([live(giveUp), asked]);
  return { first, timing };
}

/** Waits until the collection must stop, and reads its data. */
async function finish(begun: Begun, { stop, debug }: Observer): Promise<Collection> {
  const { plan, target, takeOver, timing, endGuard } = begun;
  const { tracer } = takeOver.session;
  const reason = takeOver.failure ? 'tracer' : await stopReason(target, tracer, stop, plan.durationMs);
  debug(`collection stopped: ${reason}`);
  const collection = await finishCollection(begun, reason);
  for (const remark of tracer.remarks()) debug(`bpftrace: ${remark}`);
  timing?.stop();
  return { ...collection, close: () => collection.close().then(endGuard) };
}
