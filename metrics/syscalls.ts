import { type CallRow, readCall } from '../bt/profilers/syscalls.ts';
import type { Entry } from '../parsers/entries.ts';
import type { Behavior, Syscalls } from './ebpf-schema.ts';
import { categoryOf, type SyscallCategory } from './syscall-category.ts';
import { type Arch, compatSyscallName, syscallName } from './syscall-name.ts';

/**
 * System call metrics out of the kernel's counts.
 *
 * @param entries entries of `@calls`, cumulative since the start
 * @param before the same at the start of the interval, to be subtracted
 * @param elapsedNs wall time that the counts span
 * @param comms name of each process by pid
 * @returns the metrics, and how many entries could not be read
 */
export function syscallMetrics(
  entries: readonly Entry[],
  before: readonly Entry[],
  arch: Arch,
  elapsedNs: number,
  comms: ReadonlyMap<number, string>,
): { metrics: Syscalls; unreadable: number } {
  const rows = entries.map(readCall);
  const calls = subtract(rows, before.map(readCall));
  const native = calls
    .filter((row) => !row.compat)
    .map((row) => ({ ...row, name: syscallName(arch, row.nr) }));
  const compat = calls
    .filter((row) => row.compat)
    .map((row) => ({ ...row, name: compatSyscallName(arch, row.nr) }));
  const byName = sumBy(native, (row) => row.name);
  const byCategory = sumBy(native, (row) => categoryOf(row.name));
  const total = sum(native);
  return {
    metrics: {
      total,
      by_category: Object.fromEntries(byCategory),
      top_syscalls: [...byName].slice(0, 10).map(([name, count]) => ({ name, count })),
      analysis: analyse(total, byCategory, elapsedNs),
      by_syscall: counts(byName),
      by_process: byProcess(native, comms),
      compat_32bit: { total: sum(compat), by_syscall: counts(sumBy(compat, (row) => row.name)) },
    },
    unreadable: rows.filter((row) => row === undefined).length,
  };
}

/** A program that enters fewer calls a second than this is called idle. */
const IDLE_RATE = 100;
/** The share of all calls that one kind needs to name the behaviour. */
const DOMINANT_SHARE = 0.5;

/**
 * What the calls say about the program: `idle` below 100 calls a second, else the kind that makes up half of all
 * calls or more (file_io, network, memory or process), else `mixed`.
 */
function behaviorOf(shares: Record<Behavior & `${string}_${string}`, number>, rate: number): Behavior {
  if (rate < IDLE_RATE) return 'idle';
  const [kind, share] = Object.entries(shares).reduce((a, b) => (b[1] > a[1] ? b : a));
  return share >= DOMINANT_SHARE ? (kind as Behavior) : 'mixed';
}

/** denet's intensities: the share of all calls, 0 to 1, that a category has. */
function analyse(
  total: number,
  byCategory: ReadonlyMap<SyscallCategory, number>,
  elapsedNs: number,
): Syscalls['analysis'] {
  const share = (category: SyscallCategory) => (total ? (byCategory.get(category) ?? 0) / total : 0);
  const rate = elapsedNs > 0 ? total / (elapsedNs / 1e9) : 0;
  const [io, network, memory, processes] = [
    share('file_io'),
    share('network'),
    share('memory'),
    share('process'),
  ];
  return {
    syscall_rate_per_sec: rate,
    io_intensity: io,
    memory_intensity: memory,
    cpu_intensity: processes,
    network_intensity: network,
    behavior: behaviorOf(
      { io_bound: io, network_bound: network, memory_bound: memory, process_heavy: processes },
      rate,
    ),
  };
}

function byProcess(
  calls: readonly (CallRow & { name: string })[],
  comms: ReadonlyMap<number, string>,
): Syscalls['by_process'] {
  const groups = new Map<number, (CallRow & { name: string })[]>();
  for (const call of calls) {
    const group = groups.get(call.pid);
    if (group) group.push(call);
    else groups.set(call.pid, [call]);
  }
  return Object.fromEntries(
    [...groups].map(([pid, rows]) => [
      pid,
      {
        comm: comms.get(pid) ?? null,
        total: sum(rows),
        by_syscall: Object.fromEntries(sumBy(rows, (row) => row.name)),
      },
    ]),
  );
}

function subtract(
  rows: readonly (CallRow | undefined)[],
  before: readonly (CallRow | undefined)[],
): CallRow[] {
  const key = (row: CallRow) => `${row.pid},${row.nr},${row.compat}`;
  const earlier = new Map(before.filter((row) => row !== undefined).map((row) => [key(row), row.count]));
  return rows
    .filter((row) => row !== undefined)
    .map((row) => ({ ...row, count: row.count - (earlier.get(key(row)) ?? 0) }))
    .filter((row) => row.count > 0);
}

function counts(byName: ReadonlyMap<string, number>): Record<string, { count: number }> {
  return Object.fromEntries([...byName].map(([name, count]) => [name, { count }]));
}

function sum(rows: readonly { count: number }[]): number {
  return rows.reduce((total, row) => total + row.count, 0);
}

/** Counts added up by a key, largest first; equal ones by name. */
function sumBy<R extends { count: number }, K extends string>(
  rows: readonly R[],
  keyOf: (row: R) => K,
): Map<K, number> {
  const sums = new Map<K, number>();
  for (const row of rows) sums.set(keyOf(row), (sums.get(keyOf(row)) ?? 0) + row.count);
  return new Map([...sums].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)));
}
