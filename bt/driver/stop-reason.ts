import { setTimeout as sleep } from 'node:timers/promises';
import { currentSession, type Recorder } from '../../metrics/recording.ts';
import { isAlive } from './proc-threads.ts';
import type { Target } from './target.ts';
import type { Tracer } from './tracer.ts';

/** Why a collection stopped: the target ended, --duration is over, the user asked for the result, or bpftrace ended. */
export type StopReason = 'target' | 'duration' | 'user' | 'tracer';

/**
 * Waits until the collection must stop.
 *
 * @param stop resolves when the user asks for the result now
 */
export function stopReason(
  target: Target,
  tracer: Tracer,
  stop: Promise<void>,
  durationMs: number | undefined,
): Promise<StopReason> {
  const waiting = new AbortController();
  const duration =
    durationMs === undefined
      ? []
      : [sleep(durationMs, 'duration' as const, { signal: waiting.signal }).catch(() => 'duration' as const)];
  return Promise.race([
    endOf(target, waiting.signal).then(() => 'target' as const),
    ...duration,
    userStop(target, stop),
    tracer.ended.then(() => 'tracer' as const),
  ]).finally(() => waiting.abort());
}

const POLL_MS = 100;

async function endOf(target: Target, signal: AbortSignal): Promise<void> {
  if (target.kind === 'run') await target.held.exited;
  else if (target.kind === 'attach')
    while (!signal.aborted && target.pids.some(isAlive)) await sleep(POLL_MS);
  else await new Promise(() => undefined);
}

/** How long the command may continue after Ctrl-C, which it receives too, before the collection stops without it. */
const GRACE_MS = 1000;

async function userStop(target: Target, stop: Promise<void>): Promise<'user' | 'target'> {
  await stop;
  if (target.kind !== 'run') return 'user';
  return Promise.race([target.held.exited.then(() => 'target' as const), sleep(GRACE_MS, 'user' as const)]);
}

/** Maximum wait for the exit event of the command. */
const DRAIN_MS = 250;
/** Further wait, because bpftrace reads the buffers of the other CPUs later in the same round. */
const DRAIN_MORE_MS = 10;

/** The command has exited, but its exit event and earlier ones may still be in the kernel's buffers: waits for them. */
export async function drain(recorder: Recorder, pid: number): Promise<void> {
  const deadline = performance.now() + DRAIN_MS;
  const hasExited = () => currentSession(recorder).exits.some(({ tid }) => tid === pid);
  while (!hasExited() && performance.now() < deadline) await sleep(1);
  await sleep(DRAIN_MORE_MS);
}
