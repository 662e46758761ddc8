import type { Account } from '../../../metrics/account-schema.ts';
import type { Facts } from '../../../metrics/facts.ts';
import type { Window } from '../../../metrics/measurement.ts';
import { silentRuntimes } from '../../../metrics/runtimes.ts';
import { sum, sumBy } from '../../../metrics/sums.ts';
import { formatNs, formatShare, plural } from '../../../metrics/units.ts';
import type { Offcpu } from './off-schema.ts';

/** Maximum number of hints in a result. */
const MOST_HINTS = 3;
/** Share of the waits, or of the frames, from which a hint is given. */
const WORTH = 0.1;

type DwarfFacts = Pick<Facts, 'mode' | 'dwarfPids' | 'unwindsDwarf'>;

/** Tells how to get a more complete profile, the most useful advice first. */
export function hintsFor(offcpu: Offcpu, window: Pick<Window, 'facts' | 'spaces' | 'perfMaps'>): string[] {
  const hints = [
    ...runtimeHints(offcpu, window),
    ...frameHints(offcpu, window.facts),
    ...symbolHints(offcpu),
  ];
  return hints.slice(0, MOST_HINTS);
}

/** Share of the account from which a gap is explained. */
const OFF_BALANCE = 0.01;

/**
 * Explains large gaps in the account, and large differences between the scheduler's count and btprof's.
 *
 * @param isWhole whether no wait was missed or lost
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
  if (ns < 0)
    return `${formatNs(-ns)} counts as both on a CPU and off it, because the ends of some waits were missed`;
  const why = isWhole
    ? 'waits were left out, as with --min-block, or context switches were missed'
    : 'some waits were lost';
  return `${formatNs(ns)} counts as neither on a CPU nor off it, because ${why}`;
}

function miscountSentence(ns: number, waits: number): string {
  return ns < 0
    ? `the scheduler counted ${formatNs(-ns)} of waiting as CPU time, ${formatNs(-ns / Math.max(1, waits))} per wait, because it counts from the wake-up on`
    : `the scheduler missed ${formatNs(ns)} of CPU time: it charged the time to threads that preempted these, the hypervisor took it, or btprof read the count before the end`;
}

/** Finds processes with a compiling runtime that waited and did not write a perf-PID.map. */
function runtimeHints(offcpu: Offcpu, { spaces, perfMaps }: Pick<Window, 'spaces' | 'perfMaps'>): string[] {
  const waited = new Set([...offcpu.stacks, ...offcpu.still_blocked].map((row) => row.pid));
  return silentRuntimes(spaces, (pid) => waited.has(pid) && !perfMaps.includes(pid)).map(
    ({ which, advice }) => `${which}: ${advice}`,
  );
}

/** Maximum value of --stack-depth: perf_event_max_stack of the kernel. */
const MOST_FRAMES = 127;

/** Tells how to get the callers that are missing: those of deep stacks, and those without frame pointers. */
function frameHints(
  { stacks, frames, total_time_ns: total }: Offcpu,
  facts: DwarfFacts & StackLimit,
): string[] {
  const isDeep = ({ user, user_cut }: Row) => user.length + user_cut >= facts.stackDepth;
  const isGo = ({ user }: Row) => user.some((index) => GO.test(frames[index]?.symbol ?? ''));
  const lacking = stacks.filter((row) => row.user_incomplete && !row.since_start);
  const more = facts.stackDepth < MOST_FRAMES ? `: use --stack-depth ${MOST_FRAMES}` : '';
  return [
    ...shareHint(
      lacking.filter((row) => !isDeep(row) && !isGo(row)),
      total,
      (share) =>
        `${share} is in stacks that lack callers because code without frame pointers hides them: ${callerAdvice(facts)}`,
    ),
    ...shareHint(
      lacking.filter(isDeep),
      total,
      (share) =>
        `${share} is in stacks of more than ${facts.stackDepth} frames, without their outermost callers${more}`,
    ),
  ];
}

/** Go keeps frame pointers, except in the few functions in assembly that make system calls: nothing helps there. */
const GO = /^(internal\/)?runtime[./]|^syscall\./;

type Row = Offcpu['stacks'][number];
type StackLimit = Pick<Facts, 'stackDepth'>;

function shareHint(rows: readonly Row[], total: number, say: (share: string) => string): string[] {
  const ns = sum(rows.map(({ time_ns }) => time_ns));
  return ns > WORTH * total ? [say(`${formatShare(ns, total)} of the off-CPU time`)] : [];
}

function callerAdvice({ mode, dwarfPids, unwindsDwarf }: DwarfFacts): string {
  const compile = 'compile it with -fno-omit-frame-pointer';
  if (dwarfPids.length > 0 || unwindsDwarf === 'no') return compile;
  if (unwindsDwarf === 'too old') return `${compile}, or use --unwind dwarf with bpftrace 0.26 or newer`;
  return `${mode === 'system' ? 'attach ' : ''}--unwind dwarf finds them, or ${compile}`;
}

/** Names the file with the most unnamed frames. */
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
  const have = most[1] === 1 ? 'has' : 'have';
  return [`${plural(most[1], 'frame')} of ${most[0]} ${have} no name: install its debug symbols`];
}
