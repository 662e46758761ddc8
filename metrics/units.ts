/** `1.5 s`, `40.1 ms`, `3.2 µs`: three digits or so, for people. */
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

/** `12.3 %`; `0.0 %` of nothing. */
export function formatShare(part: number, whole: number): string {
  const share = whole > 0 ? ((part / whole) * 100).toFixed(1) : '0.0';
  return `${share === '-0.0' ? '0.0' : share} %`;
}

/** `1 wait`, `9,033 waits`. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${formatCount(n)} ${n === 1 ? one : many}`;
}

/** `9,033`. The first time that Intl is asked for that takes it 20 ms. */
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
