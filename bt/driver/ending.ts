import type { BtprofError } from '../../metrics/errors.ts';
import type { Ending, Facts, LiveThread } from '../../metrics/facts.ts';
import type { AddressSpaces } from '../../metrics/mappings.ts';
import type { Recording, ThreadEvents } from '../../metrics/recording.ts';
import { isRuntime } from '../../metrics/runtimes.ts';
import { formatShare } from '../../metrics/units.ts';
import type { Plan } from '../compose.ts';
import { withPeaks } from './footprint.ts';
import type { Host } from './host.ts';
import { threadsOf } from './proc-threads.ts';
import type { ProcessState } from './process-state.ts';
import type { SelfCost, SelfMeasure } from './self-measure.ts';
import type { Session } from './session.ts';
import type { TakeOver } from './take-over.ts';
import type { Target } from './target.ts';

/** A collection that is to stop. */
export interface Stopping {
  readonly plan: Plan;
  readonly host: Host;
  readonly target: Target;
  readonly state: ProcessState;
  readonly facts: Facts;
  /** When it began, ms of btprof's own clock. */
  readonly began: number;
  readonly takeOver: TakeOver;
  readonly measure: SelfMeasure;
}

/** What a collection was when it ended. */
interface Ended extends Stopping {
  readonly recording: Recording;
  readonly cost: SelfCost;
  /** Duration by btprof's own clock, including the print of the maps, ns. */
  readonly elapsedNs: number;
  /** The same without the print of the maps. */
  readonly collectedNs: number;
  /** Why it is incomplete. */
  readonly failure: BtprofError | undefined;
  /**
   * Threads of followed processes that were alive when btprof asked for the end, and had not exited when the maps were
   * printed.
   */
  readonly alive: readonly LiveThread[];
  /** Maximum time between the check of these threads and the end, ns. */
  readonly aliveAgeNs: number;
}

/** Reads what must be read before the processes are gone. */
export async function endingOf(ended: Ended): Promise<Ending> {
  const { target, state, cost, failure } = ended;
  const { tracer, programRuns } = ended.takeOver.session;
  await state.mappings.close();
  const spaces = state.mappings.spaces();
  return {
    elapsedNs: ended.elapsedNs,
    exit: target.kind === 'run' ? target.held.exit() : null,
    incomplete: failure !== undefined,
    alive: ended.alive,
    mappings: spaces,
    perfMaps: runtimes(spaces).filter(state.perfMaps.has),
    skippedRuns: programRuns().skipped,
    programTime: failure ? null : cost.programTime,
    untimed: cost.untimed,
    footprint: failure || !cost.footprint ? null : withPeaks(cost.footprint, tracer.pid),
    warnings: warnings(ended),
    aliveAgeNs: ended.aliveAgeNs,
  };
}

/** Lists the processes of runtimes that compile code. */
function runtimes(spaces: AddressSpaces): number[] {
  const keys = [...spaces].filter(([, space]) => isRuntime(space));
  return [...new Set(keys.map(([key]) => Number.parseInt(key, 10)))];
}

/** Lists the followed processes that may be alive. */
export function followed(
  { execs, forks, exits }: Pick<ThreadEvents, 'execs' | 'forks' | 'exits'>,
  { named }: Facts,
  target: Target,
): ReadonlySet<number> {
  const pids = new Set([...named, ...execs, ...forks].map(({ pid }) => pid));
  for (const { pid } of exits) if (threadsOf(pid).length === 0) pids.delete(pid);
  if (target.kind === 'run' && execs.length > 0) pids.add(target.held.pid);
  return pids;
}

function warnings(ended: Ended): string[] {
  const { host, plan, takeOver, failure, state, recording } = ended;
  const forgotten = state.mappings.forgotten();
  return [
    ...host.dialect.warnings,
    ...(failure ? [failure.message] : []),
    ...sizeWarnings(takeOver.session, plan),
    ...(takeOver.wanted ? entryWarnings(ended) : []),
    ...(forgotten
      ? [`the mappings of ${forgotten} processes were discarded: their frames have no module`]
      : []),
    ...plan.profilers.flatMap(({ profiler }) => profiler.hostWarnings?.(host) ?? []),
    ...(plan.intervalMs === undefined ? [] : intervalCostWarning(plan.intervalMs, ended)),
    ...recording.quality.reasons.map((reason) => `a line of bpftrace could not be read: ${reason}`),
  ];
}

function sizeWarnings({ mapEntries, limits }: Session, plan: Plan): string[] {
  return [
    ...(mapEntries === limits.mapEntries
      ? []
      : [
          `kernel maps have ${mapEntries} entries, not ${limits.mapEntries}: does the command given to --bpftrace pass BPFTRACE_* variables on?`,
        ]),
    ...(plan.stacks && limits.stackDepth < plan.stackDepth
      ? [`stacks are cut at ${limits.stackDepth} frames because this host has too little memory for more`]
      : []),
  ];
}

/** Explains why stacks of the command were not unwound by DWARF. */
function entryWarnings({ recording, facts: { pids, dwarfPids } }: Ended): string[] {
  if (dwarfPids.length === 0)
    return ['stacks were unwound by frame pointers because the command could not be held at its entry'];
  const [pid] = pids;
  const after = recording.execs.filter((exec) => exec.pid === pid && exec.at > (recording.pause?.asked ?? 0));
  return after.length === 0
    ? []
    : [
        'stacks were unwound by frame pointers once the command had run another program: give that one to btprof',
      ];
}

/** Share of one CPU from which the cost of intervals is worth a warning. */
const EXPENSIVE_CPU_SHARE = 0.1;

/** Warns if printing at intervals is expensive. Collections shorter than two intervals get no warning. */
function intervalCostWarning(intervalMs: number, { cost: { footprint }, collectedNs }: Ended): string[] {
  const cpuNs = footprint?.cpuNs ?? 0;
  return cpuNs < EXPENSIVE_CPU_SHARE * collectedNs || collectedNs < 2e6 * intervalMs
    ? []
    : [
        `btprof and bpftrace took ${formatShare(cpuNs, collectedNs)} of one CPU because every interval prints all totals; use a longer --interval`,
      ];
}
