import { hottestSites, siteOf } from '../../metrics/bottlenecks.ts';
import type { Account, Offcpu, Profile, Syscalls } from '../../metrics/schema.ts';
import { formatCount, formatNs, formatShare, plural } from '../../metrics/units.ts';

/** Rows that each table shows; the whole has to fit a screen. */
const ROWS = 5;

/** One screen for people: how long, on how many threads, waiting for what, calling what. */
export function summaryView(profile: Profile): string {
  const { offcpu, syscalls } = profile.ebpf;
  const blocks = [
    headBlock(profile),
    ...(profile.account?.thread_time_ns ? [accountBlock(profile.account)] : []),
    ...(offcpu ? [offcpuBlock(offcpu)] : []),
    ...(offcpu && offcpu.still_blocked.length > 0 ? [stillBlock(offcpu)] : []),
    ...(syscalls ? [syscallBlock(syscalls)] : []),
    qualityBlock(profile),
  ];
  return `${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function headBlock({ metadata }: Profile): string[] {
  const what = {
    run: metadata.cmd.map(printable).join(' '),
    attach: `process ${metadata.pids.join(', ')}`,
    system: 'the whole machine',
  }[metadata.mode];
  const { exit } = metadata;
  const ended = exit && (exit.signal ? `killed by ${exit.signal}` : `exit status ${exit.code}`);
  return [
    `btprof: ${clip(what, 100)}`,
    `${formatNs(metadata.wall_time_ns)}, ${plural(metadata.processes, 'process', 'processes')}, ` +
      `${plural(metadata.threads, 'thread')}${ended ? `, ${ended}` : ''}${metadata.incomplete ? ', INCOMPLETE' : ''}`,
  ];
}

function offcpuBlock(offcpu: Offcpu): string[] {
  if (offcpu.total_events === 0) return ['Off-CPU: no wait ended'];
  const head = `Off-CPU: ${formatNs(offcpu.total_time_ns)} in ${plural(offcpu.total_events, 'wait')}`;
  return [
    `${head}, on average ${formatNs(offcpu.avg_time_ns)}, at most ${formatNs(offcpu.max_time_ns)}`,
    ...sitesTable(offcpu),
    ...threadsTable(offcpu),
  ];
}

/** Columns of the longest bar. */
const BAR = 40;

/** Where the time of all threads went, most of it first, and last what is not known. */
function accountBlock(account: Account): string[] {
  const { thread_time_ns: total, threads, threads_unknown: unknown } = account;
  const parts = Object.entries({ 'on the CPU': account.on_cpu_ns, ...account.off_cpu_ns })
    .filter(([, ns]) => ns > 0)
    .sort(([, a], [, b]) => b - a);
  const rows = [...parts, ['unaccounted', account.unaccounted_ns] as const];
  const names = Math.max(...rows.map(([name]) => name.length));
  const left = unknown ? ` (${plural(unknown, 'other')} not known)` : '';
  return [
    `Where the ${formatNs(total)} of ${plural(threads, 'thread')} went${left}`,
    ...rows.map(([name, ns]) => {
      const bar = '#'.repeat(Math.round((BAR * Math.max(0, ns)) / total));
      return `  ${name.padEnd(names)}  ${formatShare(ns, total).padStart(7)}  ${bar}`.trimEnd();
    }),
  ];
}

function sitesTable(offcpu: Offcpu): string[] {
  const sites = hottestSites(offcpu);
  if (sites.length === 0) return [];
  const rows = sites
    .slice(0, ROWS)
    .map((site) => [
      formatNs(site.timeNs),
      formatShare(site.timeNs, offcpu.total_time_ns),
      formatCount(site.count),
      site.site,
    ]);
  return [
    '',
    ...table(['time', 'share', 'waits', 'waiting in (kernel function)'], rows),
    ...more(sites.length),
  ];
}

function threadsTable(offcpu: Offcpu): string[] {
  const all = offcpu.top_blocking_threads;
  const rows = all.slice(0, ROWS).map((row) => {
    const key = `${row.pid}:${row.tid}`;
    const thread = offcpu.thread_stats[key];
    const name = thread?.comm ? ` ${printable(thread.comm)}` : '';
    const site = hottestSiteOf(offcpu, row.pid, row.tid);
    return [
      formatNs(row.time_ms * 1e6),
      `${row.percentage.toFixed(1)} %`,
      formatCount(thread?.count ?? 0),
      `${key}${name}${site}`,
    ];
  });
  return [
    '',
    ...table(['time', 'share', 'waits', 'thread (pid:tid name), mostly in'], rows),
    ...more(Object.keys(offcpu.thread_stats).length),
  ];
}

function hottestSiteOf(offcpu: Offcpu, pid: number, tid: number): string {
  const stacks = offcpu.stacks.filter((stack) => stack.pid === pid && stack.tid === tid);
  const [site] = hottestSites({ stacks, frames: offcpu.frames });
  return site ? `  ${site.site}` : '';
}

function stillBlock(offcpu: Offcpu): string[] {
  const all = offcpu.still_blocked;
  const rows = all.slice(0, ROWS).map((wait) => {
    const site = wait.kernel.length ? `  ${siteOf(wait, offcpu.frames)}` : '';
    const since = wait.since_start ? '  since before the start' : '';
    return [
      formatNs(wait.blocked_ns),
      `${wait.pid}:${wait.tid}${wait.comm ? ` ${printable(wait.comm)}` : ''}${site}${since}`,
    ];
  });
  return [
    `Still off the CPU at the end: ${plural(all.length, 'thread')} (not in the totals)`,
    ...table(['for', 'thread (pid:tid name), in'], rows),
    ...more(all.length),
  ];
}

function syscallBlock(syscalls: Syscalls): string[] {
  const { analysis, compat_32bit: compat } = syscalls;
  const rate = `${formatCount(Math.round(analysis.syscall_rate_per_sec))}/s`;
  const categories = Object.entries(syscalls.by_category).map(
    ([name, count]) => `${name} ${formatShare(count as number, syscalls.total)}`,
  );
  const rows = syscalls.top_syscalls
    .slice(0, ROWS)
    .map(({ name, count }) => [formatCount(count), formatShare(count, syscalls.total), name]);
  return [
    `System calls: ${formatCount(syscalls.total)}, ${rate}, by calls ${analysis.behavior}`,
    ...(categories.length ? [`  ${categories.slice(0, ROWS).join(', ')}`] : []),
    ...(rows.length ? table(['calls', 'share', 'name'], rows) : []),
    ...more(Object.keys(syscalls.by_syscall).length),
    ...(compat.total ? [`  and ${formatCount(compat.total)} through the 32-bit entry, counted apart`] : []),
  ];
}

function qualityBlock({ quality, ebpf }: Profile): string[] {
  const losses = [
    [quality.lost_events, 'events lost'],
    [quality.dropped_lines, 'lines unread'],
    [quality.switches_unseen, 'switches unseen and mended'],
    [quality.runs_skipped, 'runs of our programs skipped by the kernel'],
    [quality.map_full, 'kernel maps full'],
    [quality.kernel_errors, 'errors in the kernel'],
    [quality.stacks_missing, 'stacks missing'],
    [quality.symbols_unread, 'files of symbols not read'],
  ] as const;
  const lost = losses.filter(([n]) => n > 0).map(([n, what]) => `${formatCount(n)} ${what}`);
  const waits = ebpf.offcpu?.total_events ?? 0;
  const frames = ebpf.offcpu?.frames.length
    ? `, ${formatCount(quality.frames_unresolved)} of ${formatCount(quality.frames_total)} frames without a name` +
      `, ${formatCount(quality.stacks_incomplete)} of ${formatCount(waits)} waits without all callers`
    : '';
  return [
    `Quality: ${lost.length ? lost.join(', ') : 'nothing lost'}${frames}.`,
    ...quality.warnings.map((warning) => `Warning: ${printable(warning)}`),
    ...quality.hints.map((hint) => `Hint: ${printable(hint)}`),
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [head, ...rows];
  const last = head.length - 1;
  const widths = head.map((_, i) => Math.max(...all.map((row) => (row[i] ?? '').length)));
  return all.map(
    (row) => `  ${row.map((cell, i) => (i === last ? cell : cell.padStart(widths[i] ?? 0))).join('  ')}`,
  );
}

function more(total: number): string[] {
  return total > ROWS ? [`  (${formatCount(total - ROWS)} more: --json)`] : [];
}

/** Names come from the programs that are watched: nothing in them may steer the terminal. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu, '?');
}

function clip(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 3)}...` : text;
}
