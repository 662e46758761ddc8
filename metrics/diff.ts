import { notesOf } from './diff-notes.ts';
import {
  callRows,
  chainRows,
  markedName,
  newStackRows,
  reasonRows,
  type StackLabel,
  type Table,
  threadRows,
} from './diff-rows.ts';
import type { GateResult } from './gates.ts';
import { type Change, compare, countOf, type Measured, single, sumOf } from './noise.ts';
import type { Account, Diff, Profile } from './schema.ts';
import type { TimedStack } from './timed-stacks.ts';

/** A result and where it is from. */
export interface Run {
  /** As the user named it. */
  readonly file: string;
  readonly profile: Profile;
}

/** The runs that are compared; at least one on each side. */
export interface Sides {
  readonly before: readonly Run[];
  readonly after: readonly Run[];
}

/** A stack of both sides; where it is missing its time is 0. */
export interface DiffStack extends TimedStack {
  readonly beforeNs: number;
}

/**
 * Compares results.
 *
 * @param gates as they were judged
 */
export function diffOf(sides: Sides, gates: readonly GateResult[] = []): Diff {
  const waits = every(sides, ({ ebpf }) => ebpf.offcpu !== undefined);
  const calls = every(sides, ({ ebpf }) => ebpf.syscalls !== undefined);
  const ifWaits = <T>(rows: () => T[]): T[] => (waits ? rows() : []);
  const sampled = isSampled(sides);
  return {
    kind: 'diff',
    schema: 'btprof/1',
    before: sides.before.map(({ file, profile }) => ({ file, metadata: profile.metadata })),
    after: sides.after.map(({ file, profile }) => ({ file, metadata: profile.metadata })),
    notes: notesOf(sides),
    account: accountOf(sides),
    reasons: ifWaits(() => byTime(rowsOf(sides, reasonRows, WAITS))),
    threads: ifWaits(() => byTime(rowsOf(sides, threadRows, THREADS))),
    call_chains: ifWaits(() => byTime(rowsOf(sides, (p) => chainRows(p, sampled), WAITS))),
    stacks: stacksOfBoth(sides).map(({ frames, ...row }) => ({ ...row, frames: frames.map(markedName) })),
    ...(calls ? { syscalls: callsOf(sides) } : {}),
    gates: [...gates],
  };
}

/** Stacks for flame graphs and folded lines: with several runs the medians of each. */
export function diffStacks(sides: Sides): DiffStack[] {
  return stacksOfBoth(sides).map(({ comm, kind, idle, frames, time_ns, waits }) => ({
    ...{ pid: 0, tid: 0, comm, kind, idle, open: false, frames, count: waits.after.median },
    timeNs: time_ns.after.median,
    beforeNs: time_ns.before.median,
  }));
}

const WAITS = ['time_ns', 'waits'] as const;
const THREADS = ['time_ns', 'waits', 'threads'] as const;

function every({ before, after }: Sides, has: (profile: Profile) => boolean): boolean {
  return [...before, ...after].every(({ profile }) => has(profile));
}

/** Samples on one side only would look like a change. */
function isSampled(sides: Sides): boolean {
  return every(sides, ({ ebpf }) => ebpf.oncpu !== undefined);
}

function stacksOfBoth(sides: Sides): (StackLabel & Record<'time_ns' | 'waits', Change>)[] {
  const sampled = isSampled(sides);
  if (!sampled && !every(sides, ({ ebpf }) => ebpf.offcpu !== undefined)) return [];
  return byTime(rowsOf(sides, newStackRows(sampled), WAITS));
}

const ACCOUNT = ['on_cpu_ns', 'off_cpu_ns', 'miscounted_ns', 'unaccounted_ns'] as const;

function accountOf(sides: Sides): Diff['account'] {
  const of = (measure: (profile: Profile) => Measured) => compareBy(sides, measure);
  const wall_time_ns = of(({ metadata }) => single(metadata.wall_time_ns));
  if (!every(sides, ({ account }) => account !== undefined)) return { wall_time_ns };
  const rows = ACCOUNT.map((name) => [name, of((profile) => accountFigure(profile, name))]);
  return { wall_time_ns, ...Object.fromEntries(rows) };
}

/** Only what is a sum of waits says how far it may be off. */
function accountFigure(profile: Profile, name: (typeof ACCOUNT)[number]): Measured {
  const { off_cpu_ns, ...others } = profile.account as Account;
  if (name !== 'off_cpu_ns') return single(others[name]);
  const { variance } = sumOf([...reasonRows(profile).values()].map(({ figures }) => figures.time_ns));
  return { value: Object.values(off_cpu_ns).reduce((sum, part) => sum + part, 0), variance };
}

function callsOf(sides: Sides): NonNullable<Diff['syscalls']> {
  const timed = every(sides, ({ ebpf }) =>
    Object.values(ebpf.syscalls?.by_syscall ?? {}).every(({ errors }) => errors !== undefined),
  );
  const rows = rowsOf(sides, callRows, ['count', 'errors'] as const);
  const calls = rows.map(({ name, count, errors }) => ({ name, count, ...(timed ? { errors } : {}) }));
  return {
    total: compareBy(sides, ({ ebpf }) => countOf(ebpf.syscalls?.total ?? 0)),
    calls: calls.sort((a, b) => bySize(a.count, b.count)),
  };
}

function compareBy({ before, after }: Sides, measure: (profile: Profile) => Measured): Change {
  const of = (runs: readonly Run[]) => runs.map(({ profile }) => measure(profile));
  return compare(of(before), of(after));
}

/** Rows of all runs, matched by their keys; in a run without a row its figures are 0. */
function rowsOf<Label, Field extends string>(
  { before, after }: Sides,
  tableOf: (profile: Profile) => Table<Label, Field>,
  fields: readonly Field[],
): (Label & Record<Field, Change>)[] {
  const tables = (runs: readonly Run[]) => runs.map(({ profile }) => tableOf(profile));
  const [olds, news] = [tables(before), tables(after)];
  const labels = new Map<string, Label>();
  for (const table of [...news, ...olds])
    for (const [key, { label }] of table) if (!labels.has(key)) labels.set(key, label);
  return [...labels].map(([key, label]) => {
    const of = (all: typeof olds, field: Field) =>
      all.map((table) => table.get(key)?.figures[field] ?? countOf(0));
    const changes = fields.map((field) => [field, compare(of(olds, field), of(news, field))]);
    return { ...label, ...(Object.fromEntries(changes) as Record<Field, Change>) };
  });
}

function byTime<T extends { readonly time_ns: Change }>(rows: T[]): T[] {
  return rows.sort((a, b) => bySize(a.time_ns, b.time_ns));
}

/** The largest change first; among equal ones the largest figure. */
function bySize(a: Change, b: Change): number {
  const size = ({ before, after }: Change) => Math.max(before.median, after.median);
  return Math.abs(b.change) - Math.abs(a.change) || size(b) - size(a);
}
