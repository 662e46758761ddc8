import { callChains } from './call-chain.ts';
import type { DiffRow, DiffTable } from './diff-part.ts';
import { ON_CPU } from './kinds.ts';
import type { Measurement } from './measurement.ts';
import { countOf, type Measured, sumOf, timeOf } from './noise.ts';
import type { Profile } from './schema.ts';
import {
  allStackRows,
  frameMark,
  frameName,
  type StackFrame,
  stackParts,
  stacksOf,
  type TimedStack,
} from './timed-stacks.ts';

/** The figures of rows of waits. */
export type Waits = 'time_ns' | 'waits';

export interface StackLabel {
  readonly comm: string | null;
  readonly kind: string;
  readonly idle: boolean;
  /** Root first. */
  readonly frames: readonly StackFrame[];
}

/**
 * Makes a reader that merges stacks with the same thread name, kind and function names, so that profiles can be
 * matched.
 *
 * @param measurements whose stacks are read
 */
export function newStackRows(
  measurements: readonly Measurement[],
): (profile: Profile) => DiffTable<StackLabel, Waits> {
  const numbers = new Map<string, number>();
  const numberOf = (name: string) => {
    const number = numbers.get(name) ?? numbers.size;
    numbers.set(name, number);
    return number;
  };
  return (profile) => {
    const known = new Map<StackFrame, number>();
    const frameNumber = (frame: StackFrame) => {
      const number = known.get(frame) ?? numberOf(markedName(frame));
      known.set(frame, number);
      return number;
    };
    return addedUp(
      stacksOf(profile, measurements).map((stack) => ({
        ...stackLabel(stack),
        timeNs: stack.timeNs,
        events: eventsOf(stack),
      })),
      stackLabel,
      ({ comm, kind, idle, frames }) =>
        `${JSON.stringify([comm, kind, idle])}${frames.map(frameNumber).join()}`,
    );
  };
}

function stackLabel({ comm, kind, idle, frames }: StackLabel): StackLabel {
  return { comm, kind, idle, frames };
}

/** Number of waits or samples, including a wait that had not ended. */
export function eventsOf({ count, open }: Pick<TimedStack, 'count' | 'open'>): number {
  return count + (open ? 1 : 0);
}

/** Name of a frame, marked as stackcollapse-perf.pl does. */
export function markedName(frame: StackFrame): string {
  return frameName(frame) + frameMark(frame);
}

export interface ChainLabel {
  readonly kind: string;
  readonly idle: boolean;
  readonly functions: string;
}

/** Merges stacks that look alike in the summary. */
export function chainRows(
  profile: Profile,
  measurements: readonly Measurement[],
): DiffTable<ChainLabel, Waits> {
  const rows = stackParts(profile, measurements).flatMap(({ name, stacks: view }) => {
    const part = profile.ebpf[name];
    if (!view) return [];
    const { textOf } = callChains(view.frames(part), view.kindTexts);
    return view.rows(part).map((row) => {
      const functions = textOf({ ...row, reason: row.kind });
      return { kind: row.kind, idle: row.idle, functions, timeNs: row.timeNs, events: eventsOf(row) };
    });
  });
  return addedUp(rows, ({ kind, idle, functions }) => ({ kind, idle, functions }));
}

/** The time of all waits, with its variance. */
export function waitTime(profile: Profile, measurements: readonly Measurement[]): Measured {
  const waits = allStackRows(profile, measurements).filter(({ kind }) => kind !== ON_CPU);
  return sumOf(waits.map((row) => timeOf(row.timeNs, eventsOf(row))));
}

export function keyOf(label: object): string {
  return JSON.stringify(label);
}

/** Adds up items by key, and also their variances, because waits of different stacks vary differently. */
export function addedUp<
  Item extends { readonly timeNs: number; readonly events: number },
  Label extends object,
>(
  items: readonly Item[],
  labelOf: (item: Item) => Label,
  key: (label: Label) => string = keyOf,
): DiffTable<Label, Waits> {
  const groups = new Map<string, { label: Label; times: Measured[]; events: number }>();
  for (const item of items) {
    const label = labelOf(item);
    const at = key(label);
    const group = groups.get(at) ?? { label, times: [], events: 0 };
    group.times.push(timeOf(item.timeNs, item.events));
    group.events += item.events;
    groups.set(at, group);
  }
  const row = ({ label, times, events }: { label: Label; times: Measured[]; events: number }) =>
    ({ label, figures: { time_ns: sumOf(times), waits: countOf(events) } }) satisfies DiffRow<Label, Waits>;
  return new Map([...groups].map(([at, group]) => [at, row(group)]));
}
