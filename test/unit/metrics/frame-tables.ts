import { newAddresses } from '../../../metrics/addresses.ts';
import type { NamedKernelAddress } from '../../../metrics/facts.ts';
import { type FrameTable, newFrameTable, type UserStack } from '../../../metrics/frames.ts';
import { type Located, locate, type StackFacts } from '../../../metrics/located.ts';
import { decodeSpaces, type MappingTexts } from '../../../metrics/mappings.ts';
import type { SymbolRequests } from '../../../metrics/symbols.ts';
import { answersTo, type Lookups } from '../symbol-answers.ts';

/** A table of frames to which a test adds stacks one by one, as bpftrace prints them. */
interface TextTable extends Pick<FrameTable, 'frames' | 'named' | 'finished'> {
  readonly kernel: (text: string) => number[];
  readonly user: (text: string, pid: number, generation: number) => UserStack;
  /** The requests of all stacks so far. */
  readonly requests: SymbolRequests;
}

const BY_FRAME_POINTERS: StackFacts = { dwarfPids: [], dwarfGeneration: 1, stackDepth: 127 };

/** A table needs all addresses in advance, so each added stack creates a new table of all stacks. */
export function textTable(
  lookups: Partial<Lookups>,
  maps: MappingTexts,
  facts: StackFacts = BY_FRAME_POINTERS,
  lines = false,
): TextTable {
  const addresses = newAddresses();
  const spaces = decodeSpaces(maps);
  const steps: ((table: FrameTable) => unknown)[] = [];
  const located = (): Located => locate(addresses, spaces, facts, lines);
  const tableNow = (): FrameTable => {
    const sites = located();
    const table = newFrameTable(sites, answersTo(sites.requests, lookups), facts);
    for (const step of steps) step(table);
    return table;
  };
  const add = <Result>(step: (table: FrameTable) => Result): Result => {
    const result = step(tableNow());
    steps.push(step);
    return result;
  };
  return {
    user: (text, pid, generation) => {
      const ids = addresses.user(text, pid, generation);
      return add((table) => table.user(ids, pid, generation));
    },
    kernel: (text) => {
      const ids = addresses.kernel(text);
      return add((table) => table.kernel(ids));
    },
    named: (places: readonly NamedKernelAddress[]) => add((table) => table.named(places)),
    finished: () => tableNow().finished(),
    get frames() {
      return tableNow().frames;
    },
    get requests() {
      return located().requests;
    },
  };
}
