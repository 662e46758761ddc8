/** Units of times on the command line, in ns. */
export const TIME_UNITS_NS: ReadonlyMap<string, number> = new Map([
  ['ns', 1],
  ['us', 1e3],
  ['µs', 1e3],
  ['ms', 1e6],
  ['s', 1e9],
  ['m', 60e9],
  ['h', 3600e9],
]);

/** Reads `10s`, `500ms`, `2m` or `1.5s` as ns; a bare number is seconds, as for sleep(1). Undefined for anything else. */
export function parseTimeNs(text: string): number | undefined {
  const [, digits, unit = 's'] = /^(\d+(?:\.\d+)?)([a-zµ]+)?$/.exec(text) ?? [];
  const ns = Math.round(Number(digits) * (TIME_UNITS_NS.get(unit) ?? NaN));
  return Number.isSafeInteger(ns) ? ns : undefined;
}

/** `1.5 s`, `40.1 ms`, `3.2 µs`: about three digits, for people. */
export function formatNs(ns: number): string {
  if (ns >= 59.995e9) {
    const seconds = Math.round(ns / 1e9);
    return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  }
  if (ns >= 999.95e6) return `${(ns / 1e9).toFixed(2)} s`;
  if (ns >= 999.95e3) return `${(ns / 1e6).toFixed(1)} ms`;
  if (ns >= 999.5) return `${(ns / 1e3).toFixed(1)} µs`;
  return `${Math.round(ns)} ns`;
}

/** Like {@link formatNs}, also for times below 0; `0` without a unit. */
export function formatSignedNs(ns: number): string {
  if (ns === 0) return '0';
  return ns < 0 ? `-${formatNs(-ns)}` : formatNs(ns);
}

/** `12.3 %`; `0.0 %` when the whole is 0. */
export function formatShare(part: number, whole: number): string {
  const share = whole > 0 ? ((part / whole) * 100).toFixed(1) : '0.0';
  return `${share === '-0.0' ? '0.0' : share} %`;
}

/** `1 wait`, `9,033 waits`. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${formatCount(n)} ${n === 1 ? one : many}`;
}

/** `9,033`. Not by Intl, whose first call takes 20 ms. */
export function formatCount(n: number): string {
  return String(n).replace(/(?<!\.\d*)\B(?=(?:\d{3})+(?:\.|$))/g, ',');
}

/** `340 B`, `1.3 MB` */
export function formatBytes(bytes: number): string {
  const [size, unit] = (
    [
      [1e9, 'GB'],
      [1e6, 'MB'],
      [1e3, 'kB'],
    ] as const
  ).find(([size]) => bytes >= size) ?? [1, 'B'];
  return size === 1 ? `${bytes} B` : `${(bytes / size).toFixed(1)} ${unit}`;
}

/** Maximum value of --map-entries. */
export const MOST_ENTRIES = 2 ** 26;
