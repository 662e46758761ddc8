import { newAddresses } from '../../../metrics/addresses.ts';
import { readStacks, splitStacks } from '../../../metrics/stack-texts.ts';
import type { ReadContext } from '../../../metrics/window.ts';
import type { MapEntries, MapEntry } from '../../../parsers/entries.ts';

/** Reads stacks as hexadecimal addresses instead of stack numbers. */
export interface ReadStacks {
  readonly kernel: readonly string[];
  readonly user: readonly string[];
}

/** Reads rows of a map, with their stacks as addresses. */
export function readRows<Row>(
  map: {
    read: (
      now: readonly MapEntry[],
      before: undefined,
      context: ReadContext,
    ) => { rows: readonly Row[]; unreadable: number };
  },
  entries: readonly MapEntry[],
  stacks: MapEntries = new Map(),
): { rows: (Omit<Row, 'kernel' | 'user'> & Partial<ReadStacks>)[]; unreadable: number } {
  const addresses = newAddresses();
  const numbered = readStacks(stacks);
  const context: ReadContext = {
    ownerOf: (pid) => pid,
    stacks: (text, pid, generation) => {
      const [kernel, user] = splitStacks(text, numbered);
      return {
        kernel: addresses.kernel(kernel),
        user: addresses.user(user, pid as number, generation as number),
      };
    },
  };
  const { rows, unreadable } = map.read(entries, undefined, context);
  return { unreadable, rows: rows.map((row) => withDigits(row, addresses)) };
}

function withDigits<Row>(row: Row, { kernelAddresses, userAddresses }: ReturnType<typeof newAddresses>) {
  const { kernel, user, ...others } = row as Row & { kernel?: readonly number[]; user?: readonly number[] };
  const digits = (ids: readonly number[], of: readonly { readonly digits: string }[]) =>
    ids.map((id) => of[id]?.digits ?? '?');
  return {
    ...(others as Omit<Row, 'kernel' | 'user'>),
    ...(kernel ? { kernel: digits(kernel, kernelAddresses) } : {}),
    ...(user ? { user: digits(user, userAddresses) } : {}),
  };
}
