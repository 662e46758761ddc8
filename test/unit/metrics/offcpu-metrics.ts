/** What the tests of off-CPU metrics give to them. */
import type { LiveThread } from '../../../metrics/facts.ts';
import { addressSpaces, newFrameTable } from '../../../metrics/frames.ts';
import { decodeSpaces, type MappingTexts } from '../../../metrics/mappings.ts';
import { type OffcpuInput, offcpuMetrics } from '../../../metrics/offcpu.ts';
import type { Entry } from '../../../parsers/entries.ts';
import { parseKernelSymbols } from '../../../parsers/kernel-symbols.ts';

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

export const NOTHING: OffcpuInput = {
  waits: [],
  extremes: [],
  off: [],
  numbered: new Map(),
  atOnce: true,
  callName: undefined,
  stacks: true,
  named: new Map(),
  comms: new Map(),
  lifetimes: new Map(),
  end: 1_000_000,
  alive: new Map(),
  lookedAt: 990_000,
};

export function namedAs(tid: number, pid: number, blocked?: LiveThread['blocked']): OffcpuInput['named'] {
  return new Map([[tid, { pid, tid, comm: 'x', state: 'S', ...(blocked ? { blocked } : {}) }]]);
}

export function wait(key: string, count: number, total: number): Entry {
  return { key, value: { count, average: Math.floor(total / count), total } };
}

/** Nothing is known of user code, unless its mappings are given. */
export function metricsOf(input: Partial<OffcpuInput>, mappings: MappingTexts = {}) {
  const symbols = {
    kernel: KERNEL_SYMBOLS.find,
    user: () => undefined,
    frameless: () => false,
    jit: () => undefined,
    buildId: () => undefined,
  };
  const frames = newFrameTable(addressSpaces(decodeSpaces(mappings)), symbols);
  return { ...offcpuMetrics({ ...NOTHING, ...input }, frames), frames: frames.frames };
}
