import { z } from 'zod';
import {
  byTime,
  changeSchema,
  compareRows,
  type DiffLine,
  type DiffPart,
  type DiffSection,
  type DiffTable,
} from '../../../metrics/diff-part.ts';
import { addedUp, eventsOf, keyOf, type Waits } from '../../../metrics/diff-rows.ts';
import type { StackRow } from '../../../metrics/measurement.ts';
import { type Change, single } from '../../../metrics/noise.ts';
import type { Offcpu } from './off-schema.ts';
import { offcpuStacks } from './off-stacks.ts';

const waits = { time_ns: changeSchema, waits: changeSchema };
const reasonRow = z.object({ reason: z.string(), ...waits });
const threadRow = z.object({ comm: z.string().nullable(), ...waits, threads: changeSchema });
const shape = {
  reasons: z
    .array(reasonRow)
    .describe('waits that ended, and those that had not: so in all tables. Largest change first'),
  threads: z.array(threadRow).describe('threads of one name are one row'),
};

interface OffcpuDiff {
  readonly reasons: readonly z.infer<typeof reasonRow>[];
  readonly threads: readonly z.infer<typeof threadRow>[];
}

/** Waits by reason and by name of the thread. */
export const offcpuDiff: DiffPart<Offcpu> = {
  shape,
  compare: (sides) => ({
    reasons: sides ? byTime(compareRows(sides, reasonRows, ['time_ns', 'waits'])) : [],
    threads: sides ? byTime(compareRows(sides, threadRows, ['time_ns', 'waits', 'threads'])) : [],
  }),
  sections: (diff, { verbose, several }) => {
    const { reasons, threads } = diff as unknown as OffcpuDiff;
    const isShown = ({ change }: DiffLine) => verbose || change.change !== 0;
    const withWaits = (row: { time_ns: Change; waits: Change }) =>
      several ? { change: row.time_ns } : { change: row.time_ns, cells: [row.waits] };
    const reasonTable: DiffSection = {
      ...{ title: 'waits by reason', unit: 'ns', ranges: true, most: verbose ? 20 : 6 },
      ...(several ? {} : { cells: ['waits'] }),
      rows: reasons.map((row) => ({ ...withWaits(row), name: row.reason })).filter(isShown),
    };
    const threadTable: DiffSection = {
      ...{ title: 'waits by name of the thread', unit: 'ns', most: verbose ? 30 : 5, cells: ['threads'] },
      rows: threads
        .map((row) => ({ change: row.time_ns, cells: [row.threads], name: row.comm ?? '?' }))
        .filter(isShown),
    };
    return [reasonTable, threadTable];
  },
};

function reasonRows(part: Offcpu): DiffTable<{ reason: string }, Waits> {
  return addedUp(waitsOf(part), ({ kind }) => ({ reason: kind }));
}

/** By name of the thread: pids and tids differ between runs. */
function threadRows(part: Offcpu): DiffTable<{ comm: string | null }, Waits | 'threads'> {
  const rows = waitsOf(part);
  const threads = new Map<string, Set<string>>();
  for (const { comm, pid, tid } of rows) {
    const key = keyOf({ comm });
    const known = threads.get(key) ?? new Set();
    threads.set(key, known.add(`${pid}:${tid}`));
  }
  return new Map(
    [...addedUp(rows, ({ comm }) => ({ comm }))].map(([key, { label, figures }]) => [
      key,
      { label, figures: { ...figures, threads: single(threads.get(key)?.size ?? 0) } },
    ]),
  );
}

function waitsOf(part: Offcpu): (StackRow & { readonly events: number })[] {
  return offcpuStacks.rows(part).map((row) => ({ ...row, events: eventsOf(row) }));
}
