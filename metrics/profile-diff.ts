import type { Account } from './account-schema.ts';
import { notesOf } from './diff-notes.ts';
import {
  byTime,
  compareBy,
  compareRows,
  type DiffSection,
  type SectionOptions,
  type SidesOf,
} from './diff-part.ts';
import { chainRows, markedName, newStackRows, type StackLabel, waitTime } from './diff-rows.ts';
import type { GateResult } from './gates.ts';
import type { Measurement } from './measurement.ts';
import { type Change, type Measured, single } from './noise.ts';
import type { Diff, Profile } from './schema.ts';
import type { Side, Sides } from './sides.ts';
import { sum } from './sums.ts';
import type { TimedStack } from './timed-stacks.ts';

/** A stack of both sides; its time is 0 where it is missing. */
export interface DiffStack extends TimedStack {
  readonly beforeNs: number;
}

/**
 * Compares results.
 *
 * @param gates the results of the gates
 */
export function diffOf(
  sides: Sides,
  measurements: readonly Measurement[],
  gates: readonly GateResult[] = [],
): Diff {
  const common = measurements.filter(({ name }) => every(sides, ({ ebpf }) => ebpf[name] !== undefined));
  const of = (hasStacks: boolean) =>
    measurements
      .filter(({ stacks }) => (stacks !== undefined) === hasStacks)
      .map(({ name, diff }) => diff?.compare(partsOf(sides, name)) ?? {});
  const hasWaits = common.some(({ stacks }) => stacks && !stacks.samplesCpu);
  return {
    kind: 'diff',
    schema: 'btprof/1',
    before: sides.before.map(({ file, profile }) => ({ file, metadata: profile.metadata })),
    after: sides.after.map(({ file, profile }) => ({ file, metadata: profile.metadata })),
    notes: notesOf(sides, measurements),
    account: accountOf(sides, measurements),
    ...Object.assign({}, ...of(true)),
    call_chains: hasWaits
      ? byTime(compareRows(sides, ({ profile }) => chainRows(profile, common), WAITS))
      : [],
    stacks: stacksOfBoth(sides, common).map(({ frames, ...row }) => ({
      ...row,
      frames: frames.map(markedName),
    })),
    ...Object.assign({}, ...of(false)),
    gates: [...gates],
  };
}

/** Makes the stacks for flame graphs and folded lines; with several runs, their medians. */
export function diffStacks(sides: Sides, measurements: readonly Measurement[]): DiffStack[] {
  const common = measurements.filter(({ name }) => every(sides, ({ ebpf }) => ebpf[name] !== undefined));
  return stacksOfBoth(sides, common).map(({ comm, kind, idle, frames, time_ns, waits }) => ({
    ...{ pid: 0, tid: 0, comm, kind, idle, open: false, frames, count: waits.after.median },
    timeNs: time_ns.after.median,
    beforeNs: time_ns.before.median,
  }));
}

/** The tables of the profilers: of those with stacks, and of the others. */
export function diffSections(
  diff: Diff,
  measurements: readonly Measurement[],
  options: SectionOptions,
): { readonly withStacks: readonly DiffSection[]; readonly others: readonly DiffSection[] } {
  const of = (hasStacks: boolean) =>
    measurements
      .filter(({ stacks }) => (stacks !== undefined) === hasStacks)
      .flatMap((measurement) => measurement.diff?.sections(diff, options) ?? []);
  return { withStacks: of(true), others: of(false) };
}

const WAITS = ['time_ns', 'waits'] as const;

function every({ before, after }: Sides, has: (profile: Profile) => boolean): boolean {
  return [...before, ...after].every(({ profile }) => has(profile));
}

/** Returns a part of all results; undefined if some lack it. */
function partsOf(sides: Sides, name: string): SidesOf<unknown> | undefined {
  if (!every(sides, ({ ebpf }) => ebpf[name] !== undefined)) return undefined;
  const of = (runs: readonly Side[]) => runs.map(({ profile }) => profile.ebpf[name]);
  return { before: of(sides.before), after: of(sides.after) };
}

/** Only common profilers are compared: a part of one side alone would look like a change. */
function stacksOfBoth(
  sides: Sides,
  common: readonly Measurement[],
): (StackLabel & Record<'time_ns' | 'waits', Change>)[] {
  const rows = newStackRows(common);
  return byTime(compareRows(sides, ({ profile }) => rows(profile), WAITS));
}

const ACCOUNT = ['on_cpu_ns', 'off_cpu_ns', 'miscounted_ns', 'unaccounted_ns'] as const;

function accountOf(sides: Sides, measurements: readonly Measurement[]): Diff['account'] {
  const of = (measure: (profile: Profile) => Measured) => compareBy(sides, ({ profile }) => measure(profile));
  const wall_time_ns = of(({ metadata }) => single(metadata.wall_time_ns));
  if (!every(sides, ({ account }) => account !== undefined)) return { wall_time_ns };
  const rows = ACCOUNT.map((name) => [name, of((profile) => accountFigure(profile, name, measurements))]);
  return { wall_time_ns, ...Object.fromEntries(rows) };
}

/** Only sums of waits have a known variance. */
function accountFigure(
  profile: Profile,
  name: (typeof ACCOUNT)[number],
  measurements: readonly Measurement[],
): Measured {
  const { off_cpu_ns, ...others } = profile.account as Account;
  if (name !== 'off_cpu_ns') return single(others[name]);
  const { variance } = waitTime(profile, measurements);
  return { value: sum(Object.values(off_cpu_ns)), variance };
}
