import type { Account } from '../../../metrics/account-schema.ts';
import type { Facts } from '../../../metrics/facts.ts';
import type { Window } from '../../../metrics/measurement.ts';
import { silentRuntimes } from '../../../metrics/runtimes.ts';
import { sum, sumBy } from '../../../metrics/sums.ts';
import { formatNs, formatShare, plural } from '../../../metrics/units.ts';
import type { Offcpu } from './off-schema.ts';

/** Hints of a result, at most. */
const MOST_HINTS = 3;
/** A share of waits, or frames, that is worth a hint. */
const WORTH = 0.1;

type DwarfFacts = Pick<Facts, 'mode' | 'dwarfPids' | 'unwindsDwarf'>;

/** Sentences on what would show more than this profile does, the most useful first. */
export function hintsFor(offcpu: Offcpu, window: Pick<Window, 'facts' | 'spaces' | 'perfMaps'>): string[] {
  const hints = [
    ...runtimeHints(offcpu, window),
    ...frameHints(offcpu, window.facts),
    ...symbolHints(offcpu),
  ];
  return hints.slice(0, MOST_HINTS);
}

/** A share of the account that needs an explanation. */
const OFF_BALANCE = 0.01;

/**
 * Why the account does not add up, when it does not, and why the scheduler's count does not, when that is wrong.
 *
 * @param isWhole whether all waits were seen and kept
 */
export function accountHints(
  account: Account | undefined,
  { total_events: waits }: Offcpu,
  isWhole: boolean,
): string[] {
  if (!account) return [];
  const isMuch = (ns: number) => Math.abs(ns) > OFF_BALANCE * account.thread_time_ns;
  const { unaccounted_ns: lost, miscounted_ns: miscounted } = account;
  return [
    ...(isMuch(lost) ? [lossSentence(lost, isWhole)] : []),
    ...(isMuch(miscounted) ? [miscountSentence(miscounted, waits)] : []),
  ];
}

function lossSentence(ns: number, isWhole: boolean): string {
  if (ns < 0) return `${formatNs(-ns)} is both on a CPU and off it: the ends of some waits were not seen`;
  const why = isWhole
    ? 'waits are missing, as with --min-block, or switches were not seen'
    : 'part of the waits was lost';
  return `${formatNs(ns)} is neither on a CPU nor off it: ${why}`;
}

function miscountSentence(ns: number, waits: number): string {
  return ns < 0
    ? `the scheduler counts ${formatNs(-ns)} as on the CPU in which threads still waited, ${formatNs(-ns / Math.max(1, waits))} a wait: it counts them from their waking on`
    : `the scheduler does not count ${formatNs(ns)} that threads were on a CPU: it counts that for threads which preempted these, the hypervisor took it, or it was asked before the end`;
}

/** Processes of a runtime that waited and have written no perf-PID.map. */
function runtimeHints(offcpu: Offcpu, { spaces, perfMaps }: Pick<Window, 'spaces' | 'perfMaps'>): string[] {
  const waited = new Set([...offcpu.stacks, ...offcpu.still_blocked].map((row) => row.pid));
  return silentRuntimes(spaces, (pid) => waited.has(pid) && !perfMaps.includes(pid)).map(
    ({ which, advice }) => `${which}: ${advice}`,
  );
}

/** Code without frame pointers. */
function frameHints({ stacks, total_time_ns: total }: Offcpu, facts: DwarfFacts): string[] {
  const lacking = stacks.filter((row) => row.user_incomplete && !row.since_start);
  const incomplete = sum(lacking.map(({ time_ns }) => time_ns));
  if (incomplete <= WORTH * total) return [];
  const share = `${formatShare(incomplete, total)} of the off-CPU time is in stacks that lack callers`;
  return [`${share} because code without frame pointers hides them: ${callerAdvice(facts)}`];
}

function callerAdvice({ mode, dwarfPids, unwindsDwarf }: DwarfFacts): string {
  const compile = 'compile it with -fno-omit-frame-pointer';
  if (dwarfPids.length > 0 || unwindsDwarf === 'no') return compile;
  if (unwindsDwarf === 'too old') return `${compile}, or use --unwind dwarf with bpftrace 0.26 or newer`;
  return `${mode === 'system' ? 'attach ' : ''}--unwind dwarf finds them, or ${compile}`;
}

/** The file with the most frames that have no name. */
function symbolHints({ frames }: Offcpu): string[] {
  const files = frames.flatMap(({ symbol, module }) =>
    symbol === null && module?.startsWith('/') ? [module] : [],
  );
  const unnamed = sumBy(
    files,
    (file) => file,
    () => 1,
  );
  const [most] = [...unnamed].sort(([, a], [, b]) => b - a);
  if (!most || most[1] <= WORTH * frames.length) return [];
  return [`no name for ${plural(most[1], 'frame')} of ${most[0]}: its debug symbols would have them`];
}
