import type { Frame } from '../../../metrics/fields.ts';
import type { IdleMatch } from '../../../metrics/measurement.ts';
import { sumBy, waitSumOf, waitSumsBy } from '../../../metrics/sums.ts';
import { keyOf } from '../../../metrics/threads.ts';
import { IDLE_RULES, type IdleKind, WORK } from './idle-rules.ts';
import type { Offcpu } from './off-schema.ts';
import { testNames } from './timed-pattern.ts';

/** Minimum waits and share of time by which a thread that sleeps again and again counts as idle. */
const TIMER = { waits: 10, share: 0.9 } as const;

type Row = Pick<Offcpu['stacks'][number], 'pid' | 'tid' | 'reason' | 'state' | 'user' | 'kernel'>;

/**
 * Marks the idle waits with their kind, and adds them up. `frames` must have readable names.
 *
 * @returns a sentence for a pattern that took too long; it and all others are not used then
 */
export function markIdle(offcpu: Offcpu, matches: readonly IdleMatch[]): string[] {
  const asked = askedMatches(offcpu.frames, matches);
  const kindOf = idleKinds(offcpu.frames, 'slow' in asked ? [] : asked.matches);
  const timer = timerThreads(offcpu);
  for (const row of [...offcpu.stacks, ...offcpu.still_blocked]) {
    const byTimer = row.reason === 'sleep' && timer.has(keyOf(row)) ? 'timer' : null;
    const decided = kindOf(row);
    row.idle = decided === undefined ? byTimer : decided;
  }
  offcpu.idle = idleSums(offcpu.stacks);
  return 'slow' in asked ? [tooSlow(asked.slow)] : [];
}

function tooSlow({ source }: RegExp): string {
  const shown = JSON.stringify(source.length > 60 ? `${source.slice(0, 60)}…` : source);
  return `the pattern ${shown} of --idle-match takes too long, and no --idle-match was used: give a simpler one`;
}

/** A rule of the user, with the frames that it matches. */
interface AskedMatch {
  readonly matching: readonly boolean[];
  readonly idle: boolean;
}

/** Tests the names of all frames. The last rule comes first, because it decides. */
function askedMatches(
  frames: readonly Frame[],
  matches: readonly IdleMatch[],
): { readonly matches: readonly AskedMatch[] } | { readonly slow: RegExp } {
  const names = frames.map(({ symbol }) => symbol ?? '');
  const asked: AskedMatch[] = [];
  for (const { pattern, idle } of matches) {
    const matching = testNames(pattern, names);
    if (!matching) return { slow: pattern };
    asked.unshift({ idle, matching: matching.map((is, i) => is && frames[i]?.symbol !== null) });
  }
  return { matches: asked };
}

function idleSums(stacks: Offcpu['stacks']): Offcpu['idle'] {
  const rows = stacks.filter(({ idle }) => idle !== null);
  const kinds = waitSumsBy(rows, ({ idle }) => idle as IdleKind);
  return { ...waitSumOf(rows), by_kind: Object.fromEntries(kinds) };
}

/** Finds the kind of each stack: null if the wait is not idle, undefined if the stack does not tell. */
function idleKinds(
  frames: readonly Frame[],
  asked: readonly AskedMatch[],
): (row: Row) => IdleKind | null | undefined {
  const isUnder = (stack: readonly number[], { matching }: AskedMatch) =>
    stack.some((index) => matching[index]);
  const bits = frames.map(({ symbol }) => (symbol === null ? 0 : bitsOf(symbol.slice(0, LONGEST_NAME))));
  const bitsUnder = (stack: readonly number[]) => stack.reduce((all, index) => all | (bits[index] ?? 0), 0);
  return ({ state, user, kernel }) => {
    const match = asked.find((rule) => isUnder(kernel, rule) || isUnder(user, rule));
    if (match) return match.idle ? 'matched' : null;
    const [inUser, inKernel] = [bitsUnder(user), bitsUnder(kernel)];
    if (state === 'R' || inUser & WORK_BIT) return null;
    return RULE_BITS.find(({ user, kernel }) => (inUser & user) === user && (inKernel & kernel) === kernel)
      ?.kind;
  };
}

/** Characters of a name that are matched: names in C++ can have many thousands. */
const LONGEST_NAME = 512;

const WORK_BIT = 1;
/** Each pattern of the rules has a bit. */
const RULE_BITS = IDLE_RULES.map(({ kind, kernel, user }, i) => ({
  kind,
  kernel: kernel ? 2 << (2 * i) : 0,
  user: user ? 4 << (2 * i) : 0,
}));

/** The patterns that a function matches, as bits. The bits of a stack are those of its functions, combined by OR. */
function bitsOf(symbol: string): number {
  let bits = WORK.test(symbol) ? WORK_BIT : 0;
  for (const [i, { kernel, user }] of IDLE_RULES.entries()) {
    if (kernel?.test(symbol)) bits |= 2 << (2 * i);
    if (user?.test(symbol)) bits |= 4 << (2 * i);
  }
  return bits;
}

/** Finds threads (`PID:TID`) that only sleep while other threads of their process do the work. */
function timerThreads({ stacks, thread_stats }: Offcpu): Set<string> {
  const processOf = (key: string) => key.slice(0, key.indexOf(':'));
  const threadsOf = sumBy(Object.keys(thread_stats), processOf, () => 1);
  const sleeps = stacks.filter(({ reason }) => reason === 'sleep');
  const only = [...waitSumsBy(sleeps, keyOf)].filter(([key, { time_ns, count }]) => {
    const total = thread_stats[key]?.total_time_ns ?? Infinity;
    const hasOthers = (threadsOf.get(processOf(key)) ?? 0) > 1;
    return count >= TIMER.waits && time_ns >= TIMER.share * total && hasOthers;
  });
  return new Set(only.map(([key]) => key));
}
