import { IDLE_KINDS } from './idle.ts';
import { REASONS, type Reason } from './reasons.ts';
import type { Profile } from './schema.ts';
import { CATEGORIES } from './syscall-category.ts';
import { SYSCALL_TABLE } from './syscall-table.ts';

/** Whether a metric is a time in ns: a reason is. */
export function isTime(metric: string): boolean {
  return isReason(metric) || metric.endsWith('_ns');
}

/**
 * A number of a profile.
 *
 * @param metric a reason, for the time of its waits, also those that had not ended; or a path of field names with dots
 *   between, within `ebpf` or else from the top, such as `syscalls.total`
 * @returns undefined when the profile has no such number; 0 for a row that a table does not have
 */
export function metricOf(profile: Profile, metric: string): number | undefined {
  const { ebpf } = profile;
  if (isReason(metric)) return ebpf.offcpu && reasonTime(ebpf.offcpu, metric);
  const names = metric.split('.');
  return numberAt(ebpf, names) ?? numberAt(profile, names) ?? missingRow(profile, metric);
}

/** Whether some profile could have it. */
export function isReason(metric: string): metric is Reason {
  return REASONS.some((reason) => reason === metric);
}

/** Metrics of the profiles with names like that one, most alike first. */
export function closestMetrics(profiles: readonly Profile[], metric: string): string[] {
  const known = new Set<string>(REASONS);
  for (const { ebpf, ...others } of profiles) {
    for (const path of [...numbersIn(ebpf), ...numbersIn(others)]) known.add(path);
  }
  return [...known]
    .filter((name) => PLAIN.test(name))
    .map((name) => ({ name, distance: distanceOf(name, metric) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, SUGGESTIONS)
    .map(({ name }) => name);
}

const SUGGESTIONS = 3;
/** Results come from anywhere: nothing in them may steer the terminal. */
const PLAIN = /^[\w.$-]+$/;

function reasonTime({ by_reason, still_blocked }: NonNullable<Profile['ebpf']['offcpu']>, reason: Reason) {
  const open = still_blocked.filter((wait) => wait.reason === reason);
  return open.reduce((sum, { blocked_ns }) => sum + blocked_ns, by_reason[reason]?.time_ns ?? 0);
}

/** Names of a table may have dots themselves, as functions of the kernel do. */
function numberAt(value: unknown, names: readonly string[]): number | undefined {
  if (names.length === 0) return typeof value === 'number' ? value : undefined;
  if (!isTable(value)) return undefined;
  for (let taken = 1; taken <= names.length; taken++) {
    const name = names.slice(0, taken).join('.');
    const found = Object.hasOwn(value, name) ? numberAt(value[name], names.slice(taken)) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const CALLS = Object.values(SYSCALL_TABLE).flatMap((names): string[] => Object.values(names));

/** Tables that leave out rows of 0, with the names of their rows, and the fields of a row where it has some. */
const TABLES: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['offcpu.by_reason', REASONS, /^\.(time_ns|count)$/],
  ['offcpu.idle.by_kind', IDLE_KINDS, /^\.(time_ns|count)$/],
  ['syscalls.by_category', CATEGORIES, /^$/],
  ['syscalls.by_syscall', CALLS, /^\.count$/],
  ['syscalls.compat_32bit.by_syscall', CALLS, /^\.count$/],
  ['account.off_cpu_ns', REASONS, /^$/],
  ['account.idle_ns', REASONS, /^$/],
];

/** 0 for a row that could be there. */
function missingRow({ ebpf, account }: Profile, metric: string): number | undefined {
  const path = metric.replace(/^ebpf\./, '');
  const parts: Record<string, unknown> = { offcpu: ebpf.offcpu, syscalls: ebpf.syscalls, account };
  for (const [table, names, fields] of TABLES) {
    const [part = ''] = table.split('.');
    if (!path.startsWith(`${table}.`) || parts[part] === undefined) continue;
    const [name = ''] = path.slice(table.length + 1).split('.');
    if (names.includes(name) && fields.test(path.slice(table.length + 1 + name.length))) return 0;
  }
  return undefined;
}

/** Tables by process and thread are left out: their keys are others in each run. */
const BY_PROCESS = /^(thread_stats|by_process|by_thread)$/;

function numbersIn(value: unknown, path: readonly string[] = []): string[] {
  if (typeof value === 'number') return [path.join('.')];
  if (!isTable(value)) return [];
  return Object.keys(value)
    .filter((name) => !BY_PROCESS.test(name))
    .flatMap((name) => numbersIn(value[name], [...path, name]));
}

/** Letters to put in, take out or change (Levenshtein); what one of the two merely begins or ends with counts half. */
function distanceOf(a: string, b: string): number {
  const part = a.includes(b) || b.includes(a) ? 0.5 : 1;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return part * (row[b.length] as number);
}
