import type { Reduced, Window } from '../../../metrics/measurement.ts';
import { groupBy, sum, sumBy } from '../../../metrics/sums.ts';
import { categoryOf, type SyscallCategory } from '../../../metrics/syscall-category.ts';
import { type CallId, compatSyscallName, syscallName } from '../../../metrics/syscall-name.ts';
import { formatCount } from '../../../metrics/units.ts';
import { calls, filtered } from './call-maps.ts';
import type { Behavior, Syscalls } from './sys-schema.ts';
import { addCallTimes } from './times-reduce.ts';

interface NamedCall {
  readonly pid: number;
  readonly call: CallId;
  readonly count: number;
  readonly name: string;
}

/** Computes the system call metrics of the whole collection, or of an interval, which has no times. */
export function reduceSyscalls(window: Window): Reduced<Syscalls> {
  const { arch } = window.facts.host;
  const rows = window.rows(calls);
  const native = rows
    .filter((row) => !row.call.compat)
    .map((row) => ({ ...row, name: syscallName(arch, row.call.nr) }));
  const compat = rows
    .filter((row) => row.call.compat)
    .map((row) => ({ ...row, name: compatSyscallName(arch, row.call.nr) }));
  const byName = countsBy(native, (row) => row.name);
  const byCategory = countsBy(native, (row) => categoryOf(row.name));
  const total = countOf(native);
  const part: Syscalls = {
    total,
    by_category: Object.fromEntries(byCategory),
    top_syscalls: [...byName].slice(0, 10).map(([name, count]) => ({ name, count })),
    analysis: analyse(total, byCategory, window.elapsedNs),
    by_syscall: countRows(byName),
    by_process: byProcess(native, window.names.processes),
    compat_32bit: { total: countOf(compat), by_syscall: countRows(countsBy(compat, (row) => row.name)) },
  };
  if (window.isWhole && window.facts.syscallTimes) addCallTimes(part, window);
  return { part, hints: window.isWhole ? filterHints(window) : [] };
}

function filterHints(window: Window): string[] {
  const running = [...window.alive].flatMap(([tid, state]) => (state.filtered ? [tid] : []));
  const count = new Set([...window.rows(filtered).map(({ pid }) => pid), ...running]).size;
  if (count === 0) return [];
  const who = count === 1 ? '1 process has' : `${formatCount(count)} processes have`;
  return [
    `${who} a seccomp filter, as containers and services do: a call that it denies is not counted, because the kernel asks the filter first`,
  ];
}

/** A program that enters fewer calls a second than this is called idle. */
const IDLE_RATE = 100;
/** The share of all calls that one kind needs to name the behaviour. */
const DOMINANT_SHARE = 0.5;

/**
 * What the calls suggest about the program: `idle` below 100 calls a second, else the kind that makes up half of all calls
 * or more (file_io, network, memory or process), else `mixed`.
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
  const shares = {
    io_bound: share('file_io'),
    network_bound: share('network'),
    memory_bound: share('memory'),
    process_heavy: share('process'),
  };
  return {
    syscall_rate_per_sec: rate,
    io_intensity: shares.io_bound,
    memory_intensity: shares.memory_bound,
    cpu_intensity: shares.process_heavy,
    network_intensity: shares.network_bound,
    behavior: behaviorOf(shares, rate),
  };
}

function byProcess(rows: readonly NamedCall[], comms: ReadonlyMap<number, string>): Syscalls['by_process'] {
  const processes = groupBy(rows, ({ pid }) => pid).map((of) => {
    const pid = (of[0] as NamedCall).pid;
    const by_syscall = Object.fromEntries(countsBy(of, (row) => row.name));
    return [pid, { comm: comms.get(pid) ?? null, total: countOf(of), by_syscall }] as const;
  });
  return Object.fromEntries(processes);
}

function countRows(byName: ReadonlyMap<string, number>): Record<string, { count: number }> {
  return Object.fromEntries([...byName].map(([name, count]) => [name, { count }]));
}

function countOf(rows: readonly { readonly count: number }[]): number {
  return sum(rows.map(({ count }) => count));
}

/** Counts added up by a key, largest first; equal ones by name. */
function countsBy<R extends { readonly count: number }, K extends string>(
  rows: readonly R[],
  keyOf: (row: R) => K,
): Map<K, number> {
  const sums = sumBy(rows, keyOf, ({ count }) => count);
  return new Map([...sums].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)));
}
