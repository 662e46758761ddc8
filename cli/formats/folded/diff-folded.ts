import type { DiffStack } from '../../../metrics/profile-diff.ts';
import { foldedStack } from './folded-stacks.ts';

/**
 * Makes folded stacks of both sides, as difffolded.pl does: `frame;frame;frame BEFORE AFTER`, root first, one line for each
 * distinct stack, sorted. Values are whole ns.
 */
export function diffFoldedView(stacks: readonly DiffStack[]): string {
  const sums = new Map<string, { before: number; after: number }>();
  for (const stack of stacks) {
    const folded = foldedStack(stack, []);
    const sum = sums.get(folded) ?? { before: 0, after: 0 };
    sum.before += stack.beforeNs;
    sum.after += stack.timeNs;
    sums.set(folded, sum);
  }
  return [...sums]
    .map(([folded, { before, after }]) => ({ folded, values: [Math.round(before), Math.round(after)] }))
    .filter(({ values }) => values.some((ns) => ns > 0))
    .map(({ folded, values }) => `${folded} ${values.join(' ')}\n`)
    .sort()
    .join('');
}
