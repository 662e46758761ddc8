import { relative } from 'node:path';

/** A test file in the output of vitest's JSON reporter; times in ms. */
type FileTimes = Readonly<Record<'startTime' | 'endTime', number>> & { readonly name: string };

/** A busy machine may take this many times as long as a quiet one. */
const TOLERATED = 3;

/** Returns a line for each file that took much longer than its budget, or has none. Unit tests need none. */
export function budgetLines(files: readonly FileTimes[], budgets: Readonly<Record<string, number>>) {
  return files.flatMap(({ name, startTime, endTime }) => {
    const file = relative('', name);
    const [seconds, budget] = [Math.round((endTime - startTime) / 1000), budgets[file]];
    if (file.startsWith('test/unit/') || seconds <= TOLERATED * (budget ?? 0)) return [];
    return `${file} took ${seconds} s, ${budget ? `its budget is ${budget} s` : 'and has no budget in test/budgets.ts'}`;
  });
}
