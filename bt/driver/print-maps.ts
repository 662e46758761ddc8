import { execa } from 'execa';
import { BtprofError } from '../../metrics/errors.ts';
import { ASKING } from '../program.ts';
import type { Milestones } from './milestones.ts';
import { comes, longestSilenceMs } from './silence.ts';
import type { Tracer } from './tracer.ts';

/** How the last print of all maps went. */
export interface MapPrint {
  /** When it began, ms of btprof's own clock. */
  readonly at: number;
  /** Why maps are missing; undefined when none are. */
  readonly failure: BtprofError | undefined;
}

/** Maximum time for other lines before bpftrace begins to print the maps. */
const BUSY_MS = 30_000;
/** Maximum silence in that time. */
const UNNOTICED_MS = 3000;

/**
 * Makes the program print its maps: btprof starts a process under a name that the program knows. If that event is lost,
 * bpftrace prints the maps when it ends. On a busy machine it may have to print many other lines first. A bpftrace that
 * prints nothing for too long is killed.
 *
 * @param mapEntries maximum entries of each map
 * @returns resolves when the maps are read, or bpftrace has ended
 */
export async function printMaps(
  tracer: Tracer,
  milestones: Milestones,
  mapEntries: number,
  debug: (text: string) => void,
): Promise<MapPrint> {
  const endedBefore = milestones.has('stop');
  askForMaps();
  const begins = Promise.race([milestones.reached('stop'), tracer.ended]);
  const hasBegun = await comes(begins, tracer, UNNOTICED_MS, performance.now() + BUSY_MS);
  const at = performance.now();
  if (!hasBegun) {
    debug('the program did not notice that it should stop; interrupting bpftrace');
    tracer.interrupt();
  }
  const prints = hasBegun ? Promise.race([milestones.reached('end'), tracer.ended]) : tracer.ended;
  const silenceMs = longestSilenceMs(mapEntries);
  const hasPrinted = await comes(prints, tracer, silenceMs);
  if (!hasPrinted) tracer.kill();
  if (!milestones.has('end')) await tracer.ended;
  const failure = await whyIncomplete(tracer, milestones, hasPrinted ? undefined : silenceMs);
  return { at, failure: failure ?? (endedBefore ? endedByAnother() : undefined) };
}

/** It printed its maps before btprof asked for them, as it does at SIGINT and SIGTERM. */
function endedByAnother(): BtprofError {
  return new BtprofError(
    'bpftrace was ended by another process: what happened after that is not in the result.',
    'Something on this host sent it SIGINT or SIGTERM: pkill, a service manager, or an out-of-memory daemon.',
  );
}

/** Starts a process under that name: the kernel gives a new process the name of its parent. */
function askForMaps(): void {
  const { title } = process;
  process.title = ASKING;
  void execa('/bin/sh', ['-c', ':'], { stdio: 'ignore', reject: false, cleanup: false, cwd: '/' });
  process.title = title;
}

/**
 * Explains why bpftrace ended without all of its maps. If it was interrupted, it prints them when it ends, but without
 * the last event.
 *
 * @param silentMs how long it was silent when it was killed; undefined if it was not killed
 */
async function whyIncomplete(
  tracer: Tracer,
  milestones: Milestones,
  silentMs: number | undefined,
): Promise<BtprofError | undefined> {
  if (milestones.has('end')) return undefined;
  const { code, signal } = await tracer.ended;
  const what =
    silentMs === undefined
      ? `bpftrace ended ${signal ? `by ${signal}` : `with status ${code}`}`
      : `bpftrace printed nothing for ${Math.round(silentMs / 1000)} s and was killed`;
  if (!milestones.has('stop'))
    return new BtprofError(
      `${what} before it printed its maps: the counts are lost.`,
      'With --format jsonl --interval TIME, the result has what was printed until then.',
    );
  if (code === 0) return undefined;
  return new BtprofError(`${what} while it printed its maps: the result lacks some of them.`);
}
