import { describe, expect, test } from 'vitest';
import { PROFILERS } from '../../../bt/profilers/profiler-registry.ts';
import { metricOf } from '../../../metrics/metric-path.ts';
import type { Change } from '../../../metrics/noise.ts';
import { diffOf, diffStacks } from '../../../metrics/profile-diff.ts';
import { type Diff, type Profile, schemasOf } from '../../../metrics/schema.ts';
import type { Sides } from '../../../metrics/sides.ts';
import { recorded, sideOf } from './recorded-profiles.ts';

const { diffSchema } = schemasOf(PROFILERS);

const OLD = recorded('0.17', 'sleepers');
const NEW = recorded('0.27', 'sleepers');
const DEMO = recorded('0.23', 'demo');

function sidesOf(before: Profile, after: Profile): Sides {
  return { before: [sideOf(before, 'old.json')], after: [sideOf(after, 'new.json')] };
}

interface WaitChange {
  readonly time_ns: Change;
  readonly waits: Change;
}

/** A diff with the fields of all profilers. */
interface FullDiff extends Diff {
  readonly reasons: readonly (WaitChange & { readonly reason: string })[];
  readonly threads: readonly (WaitChange & { readonly comm: string | null; readonly threads: Change })[];
  readonly syscalls?: {
    readonly total: Change;
    readonly calls: readonly { readonly name: string; readonly count: Change; readonly errors?: Change }[];
  };
}

function compared(sides: Sides): FullDiff {
  return diffOf(sides, PROFILERS) as FullDiff;
}

function diff(before: Profile, after: Profile): FullDiff {
  return compared(sidesOf(before, after));
}

/** A copy with one part changed. */
function changed(profile: Profile, edit: (copy: Profile) => void): Profile {
  const copy = structuredClone(profile);
  edit(copy);
  return copy;
}

/** Every change in a document, by its path. */
function changesIn(value: unknown): { change: number; noise: unknown }[] {
  if (typeof value !== 'object' || value === null) return [];
  if ('change' in value && 'noise' in value) return [value as { change: number; noise: unknown }];
  return Object.values(value).flatMap(changesIn);
}

describe.each([
  ['sleepers', OLD],
  ['demo', DEMO],
  ['no stacks', recorded('0.17', 'sleepers-no-stacks')],
  ['deadlock', recorded('0.27', 'deadlock')],
  ['times', recorded('0.27', 'times')],
])('%s with itself', (_, profile) => {
  test('has no change and no notes', () => {
    const same = diff(profile, profile);
    expect(changesIn(same).filter(({ change, noise }) => change !== 0 || noise !== true)).toEqual([]);
    expect(same.notes).toEqual([]);
  });

  test('fits its schema', () => {
    expect(() => diffSchema.parse(JSON.parse(JSON.stringify(diff(profile, profile))))).not.toThrow();
  });
});

test.each([
  ['sleepers', OLD, NEW],
  ['two programs', NEW, DEMO],
])('%s: swapping the sides negates all changes', (_, before, after) => {
  const byName = (rows: Diff['stacks']) =>
    new Map(
      rows.map(({ frames, comm, kind, idle, time_ns }) => [
        JSON.stringify([frames, comm, kind, idle]),
        time_ns,
      ]),
    );
  const [there, back] = [diff(before, after), diff(after, before)];
  const [stacks, others] = [byName(there.stacks), byName(back.stacks)];
  expect(stacks.size).toBe(others.size);
  for (const [key, { change, noise }] of stacks) {
    expect(others.get(key)?.change).toBe(change === 0 ? 0 : -change);
    expect(others.get(key)?.noise).toBe(noise);
  }
  expect(there.account.wall_time_ns.change).toBe(0 - back.account.wall_time_ns.change);
  expect(there.syscalls?.total.change).toBe(0 - (back.syscalls?.total.change ?? Number.NaN));
});

test.each([
  ['sleepers', OLD, NEW],
  ['demo', NEW, DEMO],
  ['deadlock', recorded('0.17', 'deadlock'), NEW],
])('%s: the stacks of a reason add up to its row, and to what a gate sees', (_, before, after) => {
  const { reasons, stacks, call_chains } = diff(before, after);
  for (const { reason, time_ns, waits } of reasons) {
    for (const rows of [stacks, call_chains].map((all) => all.filter(({ kind }) => kind === reason))) {
      for (const side of ['before', 'after'] as const) {
        expect(rows.reduce((sum, row) => sum + row.time_ns[side].median, 0)).toBe(time_ns[side].median);
        expect(rows.reduce((sum, row) => sum + row.waits[side].median, 0)).toBe(waits[side].median);
      }
    }
    expect(metricOf(before, reason, PROFILERS)).toBe(time_ns.before.median);
    expect(metricOf(after, reason, PROFILERS)).toBe(time_ns.after.median);
  }
});

test('threads are matched by name, and calls with those of the 32-bit entry', () => {
  const { threads } = diff(OLD, NEW);
  expect(threads).toHaveLength(1);
  expect(threads[0]).toMatchObject({
    comm: 'sleepers',
    threads: { before: { median: 4 }, after: { median: 4 } },
  });
  const compat = diff(recorded('0.17', 'compat'), recorded('0.27', 'compat')).syscalls?.calls;
  expect(compat?.filter(({ name }) => name.startsWith('32-bit ')).length).toBeGreaterThan(0);
});

test('errors are compared if all runs have them', () => {
  const [timed, counted] = [recorded('0.17', 'times'), recorded('0.17', 'compat')];
  expect(diff(timed, timed).syscalls?.calls.every(({ errors }) => errors !== undefined)).toBe(true);
  expect(diff(timed, counted).syscalls?.calls.some(({ errors }) => errors !== undefined)).toBe(false);
});

test('the largest change comes first', () => {
  const sizes = diff(NEW, DEMO).call_chains.map(({ time_ns }) => Math.abs(time_ns.change));
  expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
});

test('a part that one side lacks is not compared, and a note says so', () => {
  const without = changed(NEW, (copy) => {
    delete copy.ebpf.offcpu;
    delete copy.account;
  });
  const { reasons, stacks, account, syscalls, notes } = diff(OLD, without);
  expect([reasons, stacks]).toEqual([[], []]);
  expect(Object.keys(account)).toEqual(['wall_time_ns']);
  expect(syscalls).toBeDefined();
  expect(notes.join('\n')).toMatch(/no account in new\.json.*\n.*no off-CPU time in new\.json/);
});

test('notes list other differences', () => {
  const other = changed(OLD, (copy) => {
    copy.metadata.host.kernel = '5.10.1';
    copy.metadata.wall_time_ns *= 2;
    copy.metadata.incomplete = true;
  });
  const notes = diff(OLD, other).notes.join('\n');
  expect(notes).toContain('another kernel: 6.18.44 x86_64 before, 5.10.1 x86_64 after');
  expect(notes).toContain('the wall times differ by 100.0 %');
  expect(notes).toContain('new.json is incomplete');
});

test('several runs are compared by medians, and a note warns of too few', () => {
  const walls = (...all: number[]) =>
    all.map((wall) => sideOf(changed(OLD, (copy) => Object.assign(copy.metadata, { wall_time_ns: wall }))));
  const { account, notes } = compared({ before: walls(5, 3, 4), after: walls(9, 7, 8) });
  expect(account.wall_time_ns).toMatchObject({
    ...{ before: { median: 4, min: 3, max: 5 }, after: { median: 8, min: 7, max: 9 } },
    ...{ change: 4, relative: 1, noise: false },
  });
  expect(notes.join()).toContain('with 3 and 3 runs, chance alone sets 10.0 %');
});

test('names of prototype members are ordinary names', () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
  const hostile = changed(OLD, ({ ebpf: { offcpu, syscalls } }) => {
    Object.values(offcpu?.thread_stats ?? {}).forEach((thread, i) => {
      thread.comm = names[i] ?? null;
    });
    offcpu?.frames.forEach((frame, i) => {
      frame.symbol = names[i % names.length] ?? null;
    });
    if (syscalls) syscalls.by_syscall = { constructor: { count: 7 } } as never;
  });
  const { threads, syscalls } = diff(OLD, hostile);
  expect(threads.map(({ comm }) => comm)).toEqual(expect.arrayContaining(names));
  const row = syscalls?.calls.find(({ name }) => name === 'constructor');
  expect(row?.count).toMatchObject({
    before: { median: 0 },
    after: { median: 7 },
    change: 7,
    relative: null,
  });
});

describe('stacks for flame graphs', () => {
  test('have the times of both sides', () => {
    const stacks = diffStacks(sidesOf(OLD, DEMO), PROFILERS);
    const total = (profile: Profile) => {
      const { offcpu } = profile.ebpf;
      return offcpu?.still_blocked.reduce((sum, { blocked_ns }) => sum + blocked_ns, offcpu.total_time_ns);
    };
    expect(stacks.reduce((sum, { beforeNs }) => sum + beforeNs, 0)).toBe(total(OLD));
    expect(stacks.reduce((sum, { timeNs }) => sum + timeNs, 0)).toBe(total(DEMO));
    expect(stacks.some(({ timeNs }) => timeNs === 0)).toBe(true);
    expect(stacks.some(({ beforeNs }) => beforeNs === 0)).toBe(true);
  });

  test('are summed for threads with the same name', () => {
    const sleep = diffStacks(sidesOf(OLD, NEW), PROFILERS).find(({ kind }) => kind === 'sleep');
    expect(sleep).toMatchObject({ comm: 'sleepers', count: 69, idle: true });
  });
});
