import { setTimeout as sleep } from 'node:timers/promises';
import type { Recording } from '../../parsers/recording.ts';
import type { Subject } from './subject.ts';
import { isAlive } from './threads.ts';
import type { Tracer } from './tracer.ts';

/** What ended a collection. */
export type Cause = 'subject' | 'duration' | 'stop' | 'tracer';

/**
 * Waits for whatever ends the collection.
 *
 * @param stop resolves when the user asks for the result now
 */
export function causeOfEnd(
  subject: Subject,
  tracer: Tracer,
  stop: Promise<void>,
  durationMs: number | undefined,
): Promise<Cause> {
  return Promise.race([
    endOf(subject).then(() => 'subject' as const),
    ...(durationMs === undefined ? [] : [sleep(durationMs, 'duration' as const)]),
    stopOf(subject, stop),
    tracer.ended.then(() => 'tracer' as const),
  ]);
}

const POLL_MS = 100;

async function endOf(subject: Subject): Promise<void> {
  if (subject.kind === 'run') await subject.target.exited;
  else if (subject.kind === 'attach') while (subject.pids.some(isAlive)) await sleep(POLL_MS);
  else await new Promise(() => undefined);
}

/** How long the command may go on after Ctrl-C, which it gets too, before the collection ends without it. */
const GRACE_MS = 1000;

async function stopOf(subject: Subject, stop: Promise<void>): Promise<'stop' | 'subject'> {
  await stop;
  if (subject.kind !== 'run') return 'stop';
  return Promise.race([
    subject.target.exited.then(() => 'subject' as const),
    sleep(GRACE_MS, 'stop' as const),
  ]);
}

/** How long to wait for the kernel's word that the command has exited. */
const DRAIN_MS = 250;
/** The buffers of other CPUs are read in the same round, but after. */
const DRAIN_MORE_MS = 10;

/** The exit that we saw is on its way to us as an event, with all that came before it. */
export async function drain(recording: Recording, pid: number): Promise<void> {
  const deadline = performance.now() + DRAIN_MS;
  const left = () => recording.exits.some((e) => e.tid === pid);
  while (!left() && performance.now() < deadline) await sleep(1);
  await sleep(DRAIN_MORE_MS);
}
