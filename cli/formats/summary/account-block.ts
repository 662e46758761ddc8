import type { Account } from '../../../metrics/account-schema.ts';
import { type Block, type BlockOptions, type IdleView, ofAll, rowLimit } from '../../../metrics/blocks.ts';
import { sum } from '../../../metrics/sums.ts';
import { formatNs, formatShare, plural } from '../../../metrics/units.ts';
import { bar, coloursOf, type Look, padEnd, wrap } from '../../page.ts';

/** Maximum width of a bar, in columns. */
const BAR = 40;
/** Width of a row without its name and its bar, in columns. */
const OTHER_COLUMNS = 13;

/** Shows where the time of all threads went, the largest share first and unaccounted time last. */
export function accountBlock(account: Account, look: Look & { readonly idle: IdleView }): string[] {
  const { threads, threads_unknown: unknown } = account;
  if (threads === 0)
    return unknown ? [`Where the time of ${plural(unknown, 'thread')} went is not known`] : [];
  const idle = sum(Object.values(account.idle_ns));
  const hidden = look.idle === 'hide' ? idle : 0;
  const total = account.thread_time_ns - hidden;
  if (total <= 0)
    return [`All of the ${formatNs(account.thread_time_ns)} of ${plural(threads, 'thread')} was idle`];
  const rows = accountRows(account, look.idle);
  const names = Math.max(...rows.map(([name]) => name.length));
  const width = Math.min(BAR, look.columns - names - OTHER_COLUMNS);
  const left = unknown ? `, ${plural(unknown, 'other')} not known` : '';
  const without = hidden > 0 ? `, without ${formatNs(hidden)} idle` : '';
  const { bold, cyan } = coloursOf(look);
  return [
    ...wrap(
      bold(`Where the ${formatNs(total)} of ${plural(threads, 'thread')} went${without}${left}`),
      look.columns,
    ),
    ...rows.map(([name, ns]) => {
      const share = formatShare(ns, total).padStart(7);
      return `  ${padEnd(name, names)}  ${share}  ${cyan(bar(ns / total, width, look))}`.trimEnd();
    }),
  ];
}

/** The smallest share that is not printed as 0.0 %. */
const SEEN = 0.0005;

/** Subtracts idle waits from each reason, because they have a row of their own. */
function accountRows(account: Account, view: IdleView): [string, number][] {
  const folds = view !== 'show';
  const reasons = Object.entries(account.off_cpu_ns).map(([reason, ns]): [string, number] => [
    reason,
    ns - (folds ? (account.idle_ns[reason as keyof Account['idle_ns']] ?? 0) : 0),
  ]);
  const idle: [string, number] = ['idle', view === 'fold' ? sum(Object.values(account.idle_ns)) : 0];
  const parts: [string, number][] = [['on the CPU', account.on_cpu_ns], ...reasons, idle];
  const shown = parts.filter(([, ns]) => ns > 0).sort(([, a], [, b]) => b - a);
  const hasDrift = Math.abs(account.miscounted_ns) >= SEEN * account.thread_time_ns;
  return [
    ...shown,
    ...(hasDrift ? [['accounting drift', account.miscounted_ns] satisfies [string, number]] : []),
    ['unaccounted', account.unaccounted_ns],
  ];
}

/** Shows the threads that used the most CPU time. A single thread needs no table: the account has its time. */
export function onCpuThreads({ by_thread, on_cpu_ns }: Account, options: BlockOptions): Block {
  const all = Object.entries(by_thread).sort(([, a], [, b]) => b.on_cpu_ns - a.on_cpu_ns);
  const most = rowLimit(options, [3, 2, 2, 1, 1, 0], 20);
  if (all.length < 2 || on_cpu_ns <= 0 || most === 0) return [];
  const rows = all.slice(0, most).map(([key, { comm, time_ns, on_cpu_ns: ns }]) => {
    return [{ ns }, { share: ns, of: time_ns }, `${key}${comm ? ` ${comm}` : ''}`];
  });
  const ended = on_cpu_ns - sum(all.map(([, thread]) => thread.on_cpu_ns));
  const without = ended > 0 ? `, without ${formatNs(ended)} of threads that ended long ago` : '';
  const title = `top on-CPU threads${ofAll(most, all.length)}${without}`;
  return [{ kind: 'table', head: ['time', 'of lifetime', title], rows }];
}
