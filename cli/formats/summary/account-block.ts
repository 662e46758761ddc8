import type { Account } from '../../../metrics/account-schema.ts';
import type { IdleView } from '../../../metrics/blocks.ts';
import { sum } from '../../../metrics/sums.ts';
import { formatNs, formatShare, plural } from '../../../metrics/units.ts';
import { bar, coloursOf, type Look, padEnd, wrap } from '../../page.ts';

/** Columns of the longest bar. */
const BAR = 40;
/** Columns of a row that are neither its name nor its bar. */
const OTHER_COLUMNS = 13;

/** Where the time of all threads went, most of it first, and last what is not known. */
export function accountBlock(account: Account, look: Look & { readonly idle: IdleView }): string[] {
  const { threads, threads_unknown: unknown } = account;
  if (threads === 0)
    return unknown ? [`Where the time of ${plural(unknown, 'thread')} went is not known`] : [];
  const idle = sum(Object.values(account.idle_ns));
  const hidden = look.idle === 'hide' ? idle : 0;
  const total = account.thread_time_ns - hidden;
  if (total <= 0)
    return [
      `All of the ${formatNs(account.thread_time_ns)} of ${plural(threads, 'thread')} was waiting for work`,
    ];
  const rows = accountRows(account, look.idle);
  const names = Math.max(...rows.map(([name]) => name.length));
  const room = Math.min(BAR, look.columns - names - OTHER_COLUMNS);
  const left = unknown ? `, ${plural(unknown, 'other')} not known` : '';
  const without = hidden > 0 ? `, without ${formatNs(hidden)} of waiting for work` : '';
  const { bold, cyan } = coloursOf(look);
  return [
    ...wrap(
      bold(`Where the ${formatNs(total)} of ${plural(threads, 'thread')} went${without}${left}`),
      look.columns,
    ),
    ...rows.map(([name, ns]) => {
      const share = formatShare(ns, total).padStart(7);
      return `  ${padEnd(name, names)}  ${share}  ${cyan(bar(ns / total, room, look))}`.trimEnd();
    }),
  ];
}

/** The least share that is not printed as 0.0 %. */
const SEEN = 0.0005;

/** A reason without its waits for work, which are a row of their own. */
function accountRows(account: Account, view: IdleView): [string, number][] {
  const folds = view !== 'show';
  const reasons = Object.entries(account.off_cpu_ns).map(([reason, ns]): [string, number] => [
    reason,
    ns - (folds ? (account.idle_ns[reason as keyof Account['idle_ns']] ?? 0) : 0),
  ]);
  const idle: [string, number] = [
    'waiting for work',
    view === 'fold' ? sum(Object.values(account.idle_ns)) : 0,
  ];
  const parts: [string, number][] = [['on the CPU', account.on_cpu_ns], ...reasons, idle];
  const shown = parts.filter(([, ns]) => ns > 0).sort(([, a], [, b]) => b - a);
  const miscounted = Math.abs(account.miscounted_ns) >= SEEN * account.thread_time_ns;
  return [
    ...shown,
    ...(miscounted ? [['miscounted', account.miscounted_ns] satisfies [string, number]] : []),
    ['unaccounted', account.unaccounted_ns],
  ];
}
