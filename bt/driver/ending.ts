import type { Ending, Facts, LiveThread } from '../../metrics/facts.ts';
import { isRuntime } from '../../metrics/hints.ts';
import type { AddressSpaces } from '../../metrics/mappings.ts';
import { formatShare } from '../../metrics/units.ts';
import type { Recording } from '../../parsers/recording.ts';
import type { BtprofError } from '../errors.ts';
import { withPeaks } from './footprint.ts';
import type { Taken } from './self-measure.ts';
import type { Session, SessionOptions } from './session.ts';
import type { Subject } from './subject.ts';
import { threadsOf } from './threads.ts';

/** What was collected. */
interface Collected extends Pick<SessionOptions, 'plan' | 'host' | 'dialect'> {
  readonly subject: Subject;
}

interface HowEnded extends Taken {
  /** How long the collection took by our own clock, with the maps, ns. */
  readonly elapsedNs: number;
  /** And without them. */
  readonly collectedNs: number;
  /** Why bpftrace ended by itself. */
  readonly failure: BtprofError | undefined;
  /** Threads of followed processes that were alive when the end was asked for, and had not exited when it came. */
  readonly alive: readonly LiveThread[];
  /** Whether the command was to be unwound by DWARF from its entry on. */
  readonly byDwarf: boolean;
}

/** What has to be read before the processes go. */
export async function endingOf(
  options: Collected,
  session: Session,
  facts: Facts,
  end: HowEnded,
): Promise<Ending> {
  const { subject } = options;
  const { mappings } = session;
  await mappings.close();
  const spaces = mappings.spaces();
  return {
    elapsedNs: end.elapsedNs,
    exit: subject.kind === 'run' ? subject.target.exit() : null,
    incomplete: end.failure !== undefined,
    alive: end.alive,
    mappings: spaces,
    perfMaps: runtimes(spaces).filter(session.perfMaps.has),
    skippedRuns: session.programRuns().skipped,
    programTime: end.failure ? null : end.programTime,
    untimed: end.untimed,
    footprint: end.failure || !end.footprint ? null : withPeaks(end.footprint, session.tracer.pid),
    warnings: warnings(options, session, facts, end),
  };
}

/** Processes of runtimes. */
function runtimes(spaces: AddressSpaces): number[] {
  const keys = [...spaces].filter(([, space]) => isRuntime(space));
  return [...new Set(keys.map(([key]) => Number.parseInt(key, 10)))];
}

/** Processes that were followed. */
function pidsOf(recording: Recording, facts: Facts): Set<number> {
  const events = [...facts.named, ...recording.execs, ...recording.forks];
  return new Set(events.map(({ pid }) => pid));
}

/** Those that may be alive. */
export function followed(recording: Recording, facts: Facts, subject: Subject): ReadonlySet<number> {
  const pids = pidsOf(recording, facts);
  for (const { pid } of recording.exits) if (threadsOf(pid).length === 0) pids.delete(pid);
  if (subject.kind === 'run' && recording.execs.length > 0) pids.add(subject.target.pid);
  return pids;
}

/** Why stacks of the command were not unwound by DWARF. */
function entryWarnings({ recording }: Session, { pids, dwarfPids }: Facts): string[] {
  if (dwarfPids.length === 0)
    return ['stacks were unwound by frame pointers, for the command could not be held at its entry'];
  const [pid] = pids;
  const after = recording.execs.filter((exec) => exec.pid === pid && exec.at > (recording.entry ?? 0));
  return after.length === 0
    ? []
    : [
        'stacks were unwound by frame pointers once the command had run another program: give that one to btprof',
      ];
}

/** Of one CPU. */
const DEAR = 0.1;

/** A run of less than two prints does not tell. */
function dearPrints(intervalMs: number, { footprint, collectedNs }: HowEnded): string[] {
  const cpuNs = footprint?.cpuNs ?? 0;
  return cpuNs < DEAR * collectedNs || collectedNs < 2e6 * intervalMs
    ? []
    : [
        `btprof and bpftrace took ${formatShare(cpuNs, collectedNs)} of one CPU, for each print has all that was counted so far: a longer --interval costs less`,
      ];
}

function warnings(
  { dialect, host, plan }: Collected,
  session: Session,
  facts: Facts,
  end: HowEnded,
): string[] {
  const { mappings, recording, limits, mapEntries } = session;
  const forgotten = mappings.forgotten();
  const counts32bit = plan.profilers.some((p) => p.name === 'syscalls');
  return [
    ...dialect.warnings,
    ...(end.failure ? [end.failure.message] : []),
    ...(mapEntries === limits.mapEntries
      ? []
      : [
          `kernel maps have ${mapEntries} entries and not ${limits.mapEntries}: does the command given to --bpftrace pass BPFTRACE_* variables on?`,
        ]),
    ...(plan.stacks && limits.stackDepth < plan.stackDepth
      ? [`stacks are cut at ${limits.stackDepth} frames, for this host has too little memory for more`]
      : []),
    ...(end.byDwarf ? entryWarnings(session, facts) : []),
    ...(forgotten
      ? [`the mappings of ${forgotten} processes were forgotten: their frames have no module`]
      : []),
    ...(host.btf || !counts32bit ? [] : ['without BTF, 32-bit system calls cannot be told from 64-bit ones']),
    ...(plan.intervalMs === undefined ? [] : dearPrints(plan.intervalMs, end)),
    ...recording.quality.reasons.map((reason) => `a line of bpftrace could not be read: ${reason}`),
  ];
}
