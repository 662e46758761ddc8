/** Off-CPU metrics of constructed maps. */
import type { Offcpu } from '../../../../../bt/profilers/offcpu/off-schema.ts';
import type { LiveThread } from '../../../../../metrics/facts.ts';
import { decodeSpaces, type MappingTexts } from '../../../../../metrics/mappings.ts';
import type { MapEntry } from '../../../../../parsers/entries.ts';
import { parseKernelSymbols } from '../../../../../parsers/kernel-symbols.ts';
import { eventLine, mapLine } from '../../../printed-lines.ts';
import { profileOf } from '../../../sleep-recording.ts';

export const NANOSLEEP = '\nffffffff821f94c3\nffffffff8220043e\n';
export const FUTEX = '\nffffffff821f94c3\nffffffff8143f416\n';
export const DO_EXIT = '\nffffffff821f96d5\nffffffff8135d8c8\n';
export const USER = '\n7f195c57f503\n';
const KERNEL_SYMBOLS = parseKernelSymbols(`\
ffffffff8135d600 T do_exit
ffffffff8143f3d0 T futex_do_wait
ffffffff821f94a0 T schedule
ffffffff821f96a0 T __cond_resched
ffffffff822003e0 t do_nanosleep
`);

interface Given {
  readonly waits?: readonly MapEntry[];
  readonly extremes?: readonly MapEntry[];
  readonly off?: readonly MapEntry[];
  readonly named?: readonly LiveThread[];
  readonly alive?: readonly LiveThread[];
  readonly stacks?: boolean;
  /** End of the collection, which began at 0. */
  readonly end?: number;
  /** Whether the maps were printed at an interval. */
  readonly atInterval?: boolean;
}

/** A thread as read from /proc. `more` adds other facts. */
export function thread(pid: number, tid: number, more: Partial<LiveThread> = {}): LiveThread {
  return { pid, tid, comm: 'x', state: 'S', ...more };
}

/** User code is unknown, unless mappings are given. */
export function metricsOf(given: Given, mappings: MappingTexts = {}) {
  const { waits = [], extremes = [], off = [], named = [], alive = [], stacks = true } = given;
  const lines = [
    eventLine(given.atInterval ? 'tock' : 'stop', given.end ?? 1_000_000),
    ...Object.entries({ '@waits': waits, '@extremes': extremes, '@off': off }).map(([name, entries]) =>
      mapLine(name, entries),
    ),
  ];
  const profile = profileOf(
    lines,
    { mode: 'attach', pids: [7], profilers: ['offcpu'], named, stacks },
    { alive, mappings: decodeSpaces(mappings) },
    { kernel: KERNEL_SYMBOLS.find, user: () => undefined },
  );
  const metrics = profile.ebpf.offcpu as Offcpu;
  const { dropped_lines, stacks_missing, frames_cut } = profile.quality;
  return { metrics, frames: metrics.frames, unreadable: dropped_lines, stacks_missing, frames_cut };
}
