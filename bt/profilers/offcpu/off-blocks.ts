import {
  type Block,
  type BlockOptions,
  type Cell,
  type Line,
  ofAll,
  rowLimit,
  type Text,
} from '../../../metrics/blocks.ts';
import { callChains } from '../../../metrics/call-chain.ts';
import type { Frame } from '../../../metrics/fields.ts';
import { REASONS } from '../../../metrics/reasons.ts';
import { groupBy } from '../../../metrics/sums.ts';
import { plural } from '../../../metrics/units.ts';
import { countsOf, hottestWaits, nonIdle, timeOf } from './bottlenecks.ts';
import type { Offcpu } from './off-schema.ts';
import { KIND_TEXTS } from './reason-table.ts';

type StackRow = Offcpu['stacks'][number];

const waitRows = (options: BlockOptions) => rowLimit(options, [4, 4, 4, 3, 3, 2], 20);
const threadRows = (options: BlockOptions) => rowLimit(options, [3, 3, 3, 2, 2, 1], 20);
/** Waits for which the whole stack is printed. */
const stackRows = (options: BlockOptions) => rowLimit(options, [0], 5);

/** Shows where threads waited, which threads waited longest, and which were still waiting at the end. */
export function offcpuBlocks(offcpu: Offcpu, options: BlockOptions): Block[] {
  if (offcpu.total_events === 0 && offcpu.still_blocked.length === 0)
    return [[{ kind: 'line', text: ['Off-CPU: no wait ended'] }]];
  const waits = plural(offcpu.total_events, 'wait');
  return [
    [
      {
        kind: 'text',
        strong: ['Off-CPU: ', { ns: offcpu.total_time_ns }, ` in ${waits}`],
        text: [', on average ', { ns: offcpu.avg_time_ns }, ', at most ', { ns: offcpu.max_time_ns }],
      },
      ...(options.idle === 'show' ? [] : idleLine(offcpu)),
      ...waitsTable(offcpu, options),
    ],
    threadsTable(offcpu, options),
    stillBlock(offcpu, options),
  ];
}

/** Sums up idle waits in one line, because the tables leave them out. */
function idleLine({ idle, still_blocked }: Offcpu): Line[] {
  const open = still_blocked.filter((wait) => wait.idle !== null).length;
  if (idle.count === 0 && open === 0) return [];
  const kinds = Object.entries(idle.by_kind)
    .sort(([, a], [, b]) => b.time_ns - a.time_ns)
    .flatMap(([kind, { time_ns }], i): Cell[] => [`${i > 0 ? ', ' : ''}${kind} `, { ns: time_ns }]);
  const still = open > 0 ? `; ${plural(open, 'thread')} at the end` : '';
  const what = kinds.length > 0 ? [' (', ...kinds, ')'] : [];
  const waits = plural(idle.count, 'wait');
  return [
    {
      kind: 'text',
      text: ['  of which idle: ', { ns: idle.time_ns }, ` in ${waits}`, ...what, still],
    },
  ];
}

/** Selects the rows for the tables. */
function shown<T extends { idle: unknown }>(rows: readonly T[], { idle }: BlockOptions): T[] {
  return idle === 'show' ? [...rows] : nonIdle(rows);
}

function waitsTable(offcpu: Offcpu, options: BlockOptions): Line[] {
  const stacks = shown(offcpu.stacks, options);
  const total = options.idle === 'hide' ? offcpu.total_time_ns - offcpu.idle.time_ns : offcpu.total_time_ns;
  const chains = callChains(offcpu.frames, KIND_TEXTS);
  const waits = hottestWaits(stacks, chains);
  if (offcpu.frames.length === 0 || waits.length === 0) return [];
  const most = waitRows(options);
  const rows = waits.slice(0, most).map((wait) => {
    const { waits, threads } = countsOf(wait.rows);
    const what = `${wait.reason.padEnd(LONGEST_REASON + 1)}${chains.textOf(wait.rows[0] as StackRow)}`;
    return [
      { ns: wait.timeNs },
      { share: wait.timeNs, of: total },
      { count: waits },
      { count: threads },
      what,
    ];
  });
  const title = `hottest waits${ofAll(most, waits.length)}: functions [library, kernel]`;
  return [
    { kind: 'table', head: ['time', 'share', 'waits', 'threads', title], rows },
    ...waits
      .slice(0, stackRows(options))
      .flatMap((wait, i) => stackLines(longestOf(wait.rows), i, offcpu.frames)),
  ];
}

function longestOf(rows: readonly StackRow[]): StackRow {
  return rows.reduce((longest, row) => (row.time_ns > longest.time_ns ? row : longest));
}

const LONGEST_REASON = Math.max(...REASONS.map(({ length }) => length));

/** Prints the whole stack of one wait, leaf first. */
function stackLines(row: StackRow, index: number, frames: readonly Frame[]): Line[] {
  const line = (...text: Text): Line => ({ kind: 'line', text });
  const frameLine = (at: number) => {
    const { symbol, module, offset, address, file, line: number } = frames[at] as Frame;
    const place = file ? ` ${file}${number ? `:${number}` : ''}` : '';
    const name = symbol === null ? address : `${symbol}${offset ? `+0x${offset.toString(16)}` : ''}`;
    return line(`      ${name}${module ? ` (${module})` : ''}${place}`);
  };
  const waits = plural(row.count, 'wait');
  return [
    line(''),
    line(
      `  ${index + 1}. ${row.reason}, the longest of thread ${row.pid}:${row.tid}, `,
      { ns: row.time_ns },
      ` in ${waits}:`,
    ),
    ...[...row.kernel, ...row.user].map(frameLine),
    ...(row.user_incomplete ? [line('      (callers missing)')] : []),
  ];
}

/** The threads with the longest waits, and the main reason of each. */
function threadsTable(offcpu: Offcpu, options: BlockOptions): Block {
  const threads = threadSums(shown(offcpu.stacks, options));
  const { textOf } = callChains(offcpu.frames, KIND_TEXTS);
  const most = threadRows(options);
  const rows = threads.slice(0, most).map(({ key, time, waits, longest }) => {
    const { comm, lifetime_ns: lifetime } = offcpu.thread_stats[key] ?? {};
    const what = `${key}${comm ? ` ${comm}` : ''}  ${longest.reason} ${textOf(longest)}`;
    return [{ ns: time }, lifetime ? { share: time, of: lifetime } : '?', { count: waits }, what];
  });
  if (rows.length === 0) return [];
  const title = `top waiting threads${ofAll(most, threads.length)}, main reason`;
  return [{ kind: 'table', head: ['time', 'of lifetime', 'waits', title], rows }];
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

function stillBlock(offcpu: Offcpu, options: BlockOptions): Block {
  const all = shown(offcpu.still_blocked, options);
  const { textOf } = callChains(offcpu.frames, KIND_TEXTS);
  const most = threadRows(options);
  const rows = all.slice(0, most).map((wait) => {
    const name = `${wait.pid}:${wait.tid}${wait.comm ? ` ${wait.comm}` : ''}`;
    const since = wait.since_start ? ' since before the start' : '';
    return [{ ns: wait.blocked_ns }, `${name}  ${wait.reason} ${textOf(wait)}${since}`];
  });
  if (rows.length === 0) return [];
  const title = `threads still off the CPU at the end${ofAll(most, all.length)}, not in the totals`;
  return [{ kind: 'table', head: ['for', title], rows }];
}
