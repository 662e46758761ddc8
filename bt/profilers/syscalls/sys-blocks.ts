import {
  type Block,
  type BlockOptions,
  type Line,
  ofAll,
  rowLimit,
  type Text,
} from '../../../metrics/blocks.ts';
import { formatCount, formatNs } from '../../../metrics/units.ts';
import type { Behavior, Syscalls } from './sys-schema.ts';

/** Maximum number of categories in the line below the heading. */
const CATEGORIES = 5;

const BEHAVIOR_TEXTS: Readonly<Record<Behavior, string>> = {
  io_bound: 'mostly file I/O',
  network_bound: 'mostly network',
  memory_bound: 'mostly memory management',
  process_heavy: 'mostly process management',
  mixed: 'of several kinds',
  idle: 'nearly idle',
};

/** Shows how many calls there were, their categories, and the most frequent calls or, with times, the longest. */
export function syscallBlocks(syscalls: Syscalls, options: BlockOptions): Block[] {
  const { analysis, compat_32bit: compat } = syscalls;
  const rate = `${formatCount(Math.round(analysis.syscall_rate_per_sec))}/s`;
  const categories = Object.entries(syscalls.by_category)
    .slice(0, CATEGORIES)
    .flatMap(
      ([name, count], i): Text => [
        `${i > 0 ? ', ' : ''}${name} `,
        { share: count as number, of: syscalls.total },
      ],
    );
  return [
    [
      {
        kind: 'text',
        strong: ['System calls: ', { count: syscalls.total }],
        text: [` (${rate}), ${BEHAVIOR_TEXTS[analysis.behavior]}`],
      },
      ...(categories.length ? [{ kind: 'text', text: ['  ', ...categories] } satisfies Line] : []),
      ...callsTable(syscalls, options),
      ...(compat.total
        ? [
            {
              kind: 'line',
              text: [
                '  and ',
                { count: compat.total },
                ' through the 32-bit entry point, counted separately',
              ],
            } satisfies Line,
          ]
        : []),
    ],
  ];
}

function callsTable(syscalls: Syscalls, options: BlockOptions): Line[] {
  const all = Object.entries(syscalls.by_syscall);
  if (all.length === 0) return [];
  const most = rowLimit(options, [4, 4, 3, 3, 2, 2], 20);
  const title = `name${ofAll(most, all.length)}`;
  if (all.every(([, call]) => call.returned === undefined)) {
    const rows = all
      .slice(0, most)
      .map(([name, { count }]) => [{ count }, { share: count, of: syscalls.total }, name]);
    return [{ kind: 'table', head: ['calls', 'share', title], rows }];
  }
  const took = ([, call]: Call) => (call.total_time_ns ?? 0) + (call.in_flight_ns ?? 0);
  const longest = [...all].sort((a, b) => took(b) - took(a)).slice(0, most);
  const head = ['took', 'waiting', 'calls', 'errors', 'average', 'slowest', `${title}, waits, errors`];
  return [{ kind: 'table', head, rows: longest.map(timedCall) }];
}

type Call = [string, Syscalls['by_syscall'][string]];

function timedCall([name, call]: Call) {
  const { count, errors = 0, total_time_ns = 0, avg_time_ns = 0, max_time_ns = 0, off_cpu } = call;
  const { in_flight = 0, in_flight_ns = 0 } = call;
  const reasons = Object.entries(off_cpu?.by_reason ?? {})
    .sort(([, a], [, b]) => b.time_ns - a.time_ns)
    .map(([reason, { time_ns }]) => `${reason} ${formatNs(time_ns)}`);
  const errnos = Object.entries(call.by_errno ?? {})
    .sort(([, a], [, b]) => b - a)
    .map(([errno, n]) => `${formatCount(n)} ${errno}`);
  const open = in_flight > 0 ? [`${in_flight} not returned for ${formatNs(in_flight_ns)}`] : [];
  return [
    { ns: total_time_ns },
    off_cpu ? { share: off_cpu.time_ns, of: total_time_ns + in_flight_ns } : '?',
    ...[{ count }, { count: errors }, { ns: avg_time_ns }, { ns: max_time_ns }],
    [name, ...reasons, ...errnos, ...open].join(', '),
  ];
}
