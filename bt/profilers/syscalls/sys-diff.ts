import { z } from 'zod';
import {
  bySize,
  changeSchema,
  compareBy,
  compareRows,
  type DiffLine,
  type DiffPart,
  type DiffTable,
  type SidesOf,
} from '../../../metrics/diff-part.ts';
import { countOf } from '../../../metrics/noise.ts';
import { COMPAT_PREFIX } from '../../../metrics/syscall-name.ts';
import type { Syscalls } from './sys-schema.ts';

const callsDiff = z.object({
  total: changeSchema,
  calls: z.array(
    z.object({
      name: z.string(),
      count: changeSchema,
      errors: changeSchema.optional().describe('when all runs have --syscall-times'),
    }),
  ),
});

/** System calls by name. */
export const syscallsDiff: DiffPart<Syscalls> = {
  shape: { syscalls: callsDiff.optional() },
  compare: (sides) => (sides ? { syscalls: callsOf(sides) } : {}),
  sections: ({ syscalls }, { verbose }) => {
    if (syscalls === undefined) return [];
    const { total, calls } = syscalls as z.infer<typeof callsDiff>;
    const timed = calls.some(({ errors }) => errors !== undefined);
    const line = (change: typeof total, errors: typeof total | undefined, name: string): DiffLine => ({
      ...{ change, name },
      ...(timed ? { cells: [errors] } : {}),
    });
    const rows = calls.map(({ name, count, errors }) => line(count, errors, name));
    return [
      {
        ...{ title: 'system calls', unit: 'count', most: (verbose ? 40 : 8) + 1 },
        ...(timed ? { cells: ['errors'] } : {}),
        rows: [line(total, undefined, 'all'), ...rows.filter(({ change }) => verbose || change.change !== 0)],
      },
    ];
  },
};

function callsOf(sides: SidesOf<Syscalls>): z.infer<typeof callsDiff> {
  const timed = [...sides.before, ...sides.after].every(({ by_syscall }) =>
    Object.values(by_syscall).every(({ errors }) => errors !== undefined),
  );
  const rows = compareRows(sides, callRows, ['count', 'errors']);
  const calls = rows.map(({ name, count, errors }) => ({ name, count, ...(timed ? { errors } : {}) }));
  return {
    total: compareBy(sides, ({ total }) => countOf(total)),
    calls: calls.sort((a, b) => bySize(a.count, b.count)),
  };
}

/** Includes calls through the 32-bit entry point. */
function callRows({ by_syscall, compat_32bit }: Syscalls): DiffTable<{ name: string }, 'count' | 'errors'> {
  const calls = [
    ...Object.entries(by_syscall),
    ...Object.entries(compat_32bit.by_syscall).map(([name, call]) => [COMPAT_PREFIX + name, call] as const),
  ];
  return new Map(
    calls.map(([name, { count, errors = 0 }]) => [
      name,
      { label: { name }, figures: { count: countOf(count), errors: countOf(errors) } },
    ]),
  );
}
