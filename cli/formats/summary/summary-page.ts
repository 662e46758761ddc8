import { busy, countsOf, groupBy, hottestWaits, timeOf } from '../../../metrics/bottlenecks.ts';
import { callChains } from '../../../metrics/call-chain.ts';
import type { Frame, Offcpu, Syscalls } from '../../../metrics/ebpf-schema.ts';
import { REASONS } from '../../../metrics/reasons.ts';
import type { Profile } from '../../../metrics/schema.ts';
import { formatCount, formatNs, formatShare, plural } from '../../../metrics/units.ts';
import { clip, coloursOf, padEnd, printable, printPage, table, wrap } from '../../page.ts';
import type { ResultLook } from '../format.ts';
import { accountBlock } from './account-block.ts';
import { qualityBlock } from './quality-block.ts';

type StackRow = Offcpu['stacks'][number];

/** Rows of the tables. */
interface Rows {
  readonly waits: number;
  readonly threads: number;
  readonly calls: number;
  /** Waits whose whole stack is shown. */
  readonly stacks: number;
  readonly hints: number;
}

/** The most that fits a screen is shown. */
const BRIEF: readonly [Rows, ...Rows[]] = [
  { waits: 4, threads: 3, calls: 4, stacks: 0, hints: 3 },
  { waits: 4, threads: 3, calls: 4, stacks: 0, hints: 1 },
  { waits: 4, threads: 3, calls: 3, stacks: 0, hints: 1 },
  { waits: 3, threads: 2, calls: 3, stacks: 0, hints: 1 },
  { waits: 3, threads: 2, calls: 2, stacks: 0, hints: 0 },
  { waits: 2, threads: 1, calls: 2, stacks: 0, hints: 0 },
];
const VERBOSE: Rows = { waits: 20, threads: 20, calls: 20, stacks: 5, hints: Infinity };
/** Lines of a screen. */
const SCREEN = 40;

/** One screen for people: what holds it up, where the time went, waiting for what, who, calling what. */
export function summaryView(profile: Profile, look: ResultLook): string {
  if (look.verbose) return pageOf(profile, VERBOSE, look);
  let page = '';
  for (const rows of BRIEF) {
    page = pageOf(profile, rows, look);
    if (page.trimEnd().split('\n').length <= SCREEN) break;
  }
  return page;
}

function pageOf(profile: Profile, rows: Rows, look: ResultLook): string {
  const { offcpu, syscalls } = profile.ebpf;
  const blocks = [
    headBlock(profile, look),
    ...(profile.account ? [accountBlock(profile.account, look)] : []),
    ...(offcpu ? offcpuBlocks(offcpu, rows, look) : []),
    ...(syscalls ? [syscallBlock(syscalls, rows.calls, look)] : []),
    qualityBlock(profile, rows.hints, look),
  ];
  return printPage(
    blocks.filter((lines) => lines.length > 0),
    look,
  );
}

function headBlock({ metadata, ebpf }: Profile, look: ResultLook): string[] {
  const { bold } = coloursOf(look);
  const what = {
    run: metadata.cmd.map(printable).join(' '),
    attach: `process ${metadata.pids.join(', ')}`,
    system: 'the whole machine',
  }[metadata.mode];
  const { exit } = metadata;
  const ended = exit && (exit.signal ? `killed by ${exit.signal}` : `exit status ${exit.code}`);
  const sentences = (ebpf.offcpu?.bottlenecks ?? []).flatMap((s) => wrap(`- ${printable(s)}`, look.columns));
  return [
    bold(clip(`btprof: ${what}`, look.columns)),
    ...wrap(
      `${formatNs(metadata.wall_time_ns)}, ${plural(metadata.processes, 'process', 'processes')}, ` +
        `${plural(metadata.threads, 'thread')}${ended ? `, ${ended}` : ''}${metadata.incomplete ? ', INCOMPLETE' : ''}`,
      look.columns,
    ),
    ...sentences,
  ];
}

function offcpuBlocks(offcpu: Offcpu, rows: Rows, look: ResultLook): string[][] {
  if (offcpu.total_events === 0 && offcpu.still_blocked.length === 0) return [['Off-CPU: no wait ended']];
  const { bold } = coloursOf(look);
  const head = `Off-CPU: ${formatNs(offcpu.total_time_ns)} in ${plural(offcpu.total_events, 'wait')}`;
  return [
    [
      ...wrap(
        `${bold(head)}, on average ${formatNs(offcpu.avg_time_ns)}, at most ${formatNs(offcpu.max_time_ns)}`,
        look.columns,
      ),
      ...(look.idle === 'show' ? [] : idleLine(offcpu).flatMap((line) => wrap(line, look.columns))),
      ...waitsTable(offcpu, rows, look),
    ],
    threadsTable(offcpu, rows.threads, look),
    stillBlock(offcpu, rows.threads, look),
  ];
}

/** Waits for work, in one line: they are not in the tables. */
function idleLine({ idle, still_blocked }: Offcpu): string[] {
  const open = still_blocked.filter((wait) => wait.idle !== null).length;
  if (idle.count === 0 && open === 0) return [];
  const kinds = Object.entries(idle.by_kind)
    .sort(([, a], [, b]) => b.time_ns - a.time_ns)
    .map(([kind, { time_ns }]) => `${kind} ${formatNs(time_ns)}`);
  const still = open > 0 ? `; ${plural(open, 'thread')} at the end` : '';
  const what = kinds.length > 0 ? ` (${kinds.join(', ')})` : '';
  return [
    `  of it waiting for work: ${formatNs(idle.time_ns)} in ${plural(idle.count, 'wait')}${what}${still}`,
  ];
}

/** The rows that the tables are about. */
function shown<T extends { idle: unknown }>(rows: readonly T[], { idle }: ResultLook): T[] {
  return idle === 'show' ? [...rows] : busy(rows);
}

function waitsTable(offcpu: Offcpu, rows: Rows, look: ResultLook): string[] {
  const stacks = shown(offcpu.stacks, look);
  const total = look.idle === 'hide' ? offcpu.total_time_ns - offcpu.idle.time_ns : offcpu.total_time_ns;
  const chains = callChains(offcpu.frames);
  const waits = hottestWaits(stacks, chains);
  if (offcpu.frames.length === 0 || waits.length === 0) return [];
  const cells = waits.slice(0, rows.waits).map((wait) => {
    const { waits, threads } = countsOf(wait.rows);
    return [
      formatNs(wait.timeNs),
      formatShare(wait.timeNs, total),
      formatCount(waits),
      formatCount(threads),
      padEnd(wait.reason, LONGEST_REASON + 1) + printable(chains.textOf(wait.rows[0] as StackRow)),
    ];
  });
  const title = `hottest waits${ofAll(rows.waits, waits.length)}: functions [library, kernel]`;
  return [
    ...table(['time', 'share', 'waits', 'threads', title], cells, look),
    ...waits.slice(0, rows.stacks).flatMap((wait, i) => stackLines(longestOf(wait.rows), i, offcpu.frames)),
  ];
}

function longestOf(rows: readonly StackRow[]): StackRow {
  return rows.reduce((longest, row) => (row.time_ns > longest.time_ns ? row : longest));
}

const LONGEST_REASON = Math.max(...REASONS.map(({ length }) => length));

/** The stack of one wait, whole, leaf first. */
function stackLines(row: StackRow, index: number, frames: readonly Frame[]): string[] {
  const who = `${row.pid}:${row.tid}, ${formatNs(row.time_ns)} in ${plural(row.count, 'wait')}`;
  const line = (at: number) => {
    const { symbol, module, offset, address, file, line } = frames[at] as Frame;
    const place = file ? ` ${file}${line ? `:${line}` : ''}` : '';
    const name = symbol === null ? address : `${symbol}${offset ? `+0x${offset.toString(16)}` : ''}`;
    return `      ${printable(name)}${module ? ` (${printable(module)})` : ''}${printable(place)}`;
  };
  const cut = row.user_incomplete ? ['      (callers missing)'] : [];
  return [
    '',
    `  ${index + 1}. ${row.reason}, the longest of thread ${who}:`,
    ...[...row.kernel, ...row.user].map(line),
    ...cut,
  ];
}

/** Threads by their time within work, with what they waited for mostly. */
function threadsTable(offcpu: Offcpu, most: number, look: ResultLook): string[] {
  const threads = threadSums(shown(offcpu.stacks, look));
  const { textOf } = callChains(offcpu.frames);
  const rows = threads.slice(0, most).map(({ key, time, waits, longest }) => {
    const { comm, lifetime_ns: lifetime } = offcpu.thread_stats[key] ?? {};
    const name = `${key}${comm ? ` ${printable(comm)}` : ''}`;
    const share = lifetime ? formatShare(time, lifetime) : '?';
    return [
      formatNs(time),
      share,
      formatCount(waits),
      `${name}  ${longest.reason} ${printable(textOf(longest))}`,
    ];
  });
  if (rows.length === 0) return [];
  const title = `threads that waited most${ofAll(most, threads.length)}, mostly for`;
  return table(['time', 'of life', 'waits', title], rows, look);
}

function threadSums(stacks: readonly StackRow[]) {
  return groupBy(stacks, ({ pid, tid }) => `${pid}:${tid}`)
    .map((rows) => {
      const longest = longestOf(rows);
      const key = `${longest.pid}:${longest.tid}`;
      return { key, time: timeOf(rows), waits: countsOf(rows).waits, longest };
    })
    .sort((a, b) => b.time - a.time);
}

function stillBlock(offcpu: Offcpu, most: number, look: ResultLook): string[] {
  const all = shown(offcpu.still_blocked, look);
  const { textOf } = callChains(offcpu.frames);
  const rows = all.slice(0, most).map((wait) => {
    const name = `${wait.pid}:${wait.tid}${wait.comm ? ` ${printable(wait.comm)}` : ''}`;
    const since = wait.since_start ? ' since before the start' : '';
    return [formatNs(wait.blocked_ns), `${name}  ${wait.reason} ${printable(textOf(wait))}${since}`];
  });
  if (rows.length === 0) return [];
  const title = `threads still off the CPU at the end${ofAll(most, all.length)}, not in the totals`;
  return table(['for', title], rows, look);
}

function syscallBlock(syscalls: Syscalls, most: number, look: ResultLook): string[] {
  const { analysis, compat_32bit: compat } = syscalls;
  const rate = `${formatCount(Math.round(analysis.syscall_rate_per_sec))}/s`;
  const categories = Object.entries(syscalls.by_category)
    .slice(0, CATEGORIES)
    .map(([name, count]) => `${name} ${formatShare(count as number, syscalls.total)}`);
  const { bold } = coloursOf(look);
  return [
    ...wrap(
      `${bold(`System calls: ${formatCount(syscalls.total)}`)}, ${rate}, by calls ${analysis.behavior}`,
      look.columns,
    ),
    ...(categories.length ? wrap(`  ${categories.join(', ')}`, look.columns) : []),
    ...callsTable(syscalls, most, look),
    ...(compat.total ? [`  and ${formatCount(compat.total)} through the 32-bit entry, counted apart`] : []),
  ];
}

const CATEGORIES = 5;

/** The most frequent calls, or, where they were timed, those that took longest. */
function callsTable(syscalls: Syscalls, most: number, look: ResultLook): string[] {
  const all = Object.entries(syscalls.by_syscall);
  if (all.length === 0) return [];
  const title = `name${ofAll(most, all.length)}`;
  if (all.every(([, call]) => call.returned === undefined)) {
    const rows = all
      .slice(0, most)
      .map(([name, { count }]) => [formatCount(count), formatShare(count, syscalls.total), name]);
    return table(['calls', 'share', title], rows, look);
  }
  const took = ([, call]: Call) => (call.total_time_ns ?? 0) + (call.in_flight_ns ?? 0);
  const longest = [...all].sort((a, b) => took(b) - took(a)).slice(0, most);
  const head = ['took', 'waiting', 'calls', 'errors', 'average', 'slowest', `${title}, waits, errors`];
  return table(head, longest.map(timedCall), look);
}

type Call = [string, Syscalls['by_syscall'][string]];

function timedCall([name, call]: Call): string[] {
  const { count, errors = 0, total_time_ns = 0, avg_time_ns = 0, max_time_ns = 0, off_cpu } = call;
  const { in_flight = 0, in_flight_ns = 0 } = call;
  const reasons = Object.entries(off_cpu?.by_reason ?? {})
    .sort(([, a], [, b]) => b.time_ns - a.time_ns)
    .map(([reason, { time_ns }]) => `${reason} ${formatNs(time_ns)}`);
  const errnos = Object.entries(call.by_errno ?? {})
    .sort(([, a], [, b]) => b - a)
    .map(([errno, n]) => `${formatCount(n)} ${errno}`);
  const open = in_flight > 0 ? [`${in_flight} not returned for ${formatNs(in_flight_ns)}`] : [];
  const waiting = off_cpu ? formatShare(off_cpu.time_ns, total_time_ns + in_flight_ns) : '?';
  const figures = [formatCount(count), formatCount(errors), formatNs(avg_time_ns), formatNs(max_time_ns)];
  return [formatNs(total_time_ns), waiting, ...figures, [name, ...reasons, ...errnos, ...open].join(', ')];
}

/** ` (4 of 31)`, where not all are shown. */
function ofAll(most: number, all: number): string {
  return all > most ? ` (${formatCount(most)} of ${formatCount(all)})` : '';
}
