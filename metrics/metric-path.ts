import type { Measurement } from './measurement.ts';
import type { Profile } from './schema.ts';

/** Tells whether a metric is a time in ns, as reasons are. */
export function isTime(metric: string, measurements: readonly Measurement[]): boolean {
  return namedBy(metric, measurements) !== undefined || metric.endsWith('_ns');
}

/**
 * A number of a profile.
 *
 * @param metric a short name such as a reason, for the time of its waits; or a path of field names with dots between, within
 *   `ebpf` or else from the top, such as `syscalls.total`
 * @returns undefined when the profile has no such number; 0 for a row that a table leaves out
 */
export function metricOf(
  profile: Profile,
  metric: string,
  measurements: readonly Measurement[],
): number | undefined {
  const { ebpf } = profile;
  const owner = namedBy(metric, measurements);
  if (owner)
    return ebpf[owner.name] === undefined ? undefined : owner.metrics?.time(ebpf[owner.name], metric);
  const names = metric.split('.');
  return numberAt(ebpf, names) ?? numberAt(profile, names) ?? missingRow(profile, metric, measurements);
}

/** The profiler that knows a metric by a short name. */
export function namedBy(metric: string, measurements: readonly Measurement[]): Measurement | undefined {
  return measurements.find(({ metrics }) => metrics?.times.includes(metric));
}

/** Finds metrics with similar names, the most similar first. */
export function closestMetrics(
  profiles: readonly Profile[],
  metric: string,
  measurements: readonly Measurement[],
): string[] {
  const known = new Set(measurements.flatMap(({ metrics }) => metrics?.times ?? []));
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
/** Results come from anywhere: nothing in them may control the terminal. */
const PLAIN = /^[\w.$-]+$/;

/** Names of rows may contain dots, as kernel functions do. */
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

/** Returns 0 for a row that the table leaves out. */
function missingRow(
  { ebpf, account }: Profile,
  metric: string,
  measurements: readonly Measurement[],
): number | undefined {
  const path = metric.replace(/^ebpf\./, '');
  const parts: Record<string, unknown> = { ...ebpf, account };
  for (const [table, names, rest] of measurements.flatMap(({ metrics }) => metrics?.zeros ?? [])) {
    const [part = ''] = table.split('.');
    if (!path.startsWith(`${table}.`) || parts[part] === undefined) continue;
    const [name = ''] = path.slice(table.length + 1).split('.');
    if (names.includes(name) && rest.test(path.slice(table.length + 1 + name.length))) return 0;
  }
  return undefined;
}

/** Tables by process and thread are left out, because their keys differ in each run. */
const BY_PROCESS = /^(thread_stats|by_process|by_thread)$/;

function numbersIn(value: unknown, path: readonly string[] = []): string[] {
  if (typeof value === 'number') return [path.join('.')];
  if (!isTable(value)) return [];
  return Object.keys(value)
    .filter((name) => !BY_PROCESS.test(name))
    .flatMap((name) => numbersIn(value[name], [...path, name]));
}

/**
 * The number of letters to insert, remove or change (Levenshtein); extra letters at the beginning or end count half.
 */
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
