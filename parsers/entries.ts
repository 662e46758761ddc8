/** A key of a printed map, with its value. Keys may repeat, because bpftrace prints an unreadable stack as nothing. */
export interface MapEntry {
  /** The text as it stands in the line, escapes included: keys are numbers, names and stacks, and need no decoded copy. */
  readonly key: string;
  /** Undefined when it is not valid JSON, such as a hexadecimal number. */
  readonly value: unknown;
}

/**
 * Reads the entries of a `map`, `stats` or `hist` line, in order. It keeps entries whose keys print alike, of which
 * JSON.parse would silently drop all but the last.
 *
 * @param line such as `{"type": "map", "data": {"@calls": {"2933,1": 1, "2933,231": 1}}}`
 * @returns the map's name and entries; undefined when the line has another shape or is cut off, or the map has no keys
 */
export function readMapLine(line: string): { name: string; entries: MapEntry[] } | undefined {
  const head = /^\{"type": ?"\w+", ?"data": ?\{"(@\w*)": ?\{ */.exec(line);
  if (!head) return undefined;
  const entries: MapEntry[] = [];
  let at = head[0].length;
  while (line[at] !== '}') {
    const keyEnd = endOfString(line, at);
    if (line[at] !== '"' || line[keyEnd] !== ':') return undefined;
    const valueEnd = endOfValue(line, keyEnd + 1);
    if (valueEnd < 0) return undefined;
    entries.push({ key: line.slice(at + 1, keyEnd - 1), value: parseJson(line.slice(keyEnd + 1, valueEnd)) });
    at = line[valueEnd] === ',' ? skipSpace(line, valueEnd + 1) : valueEnd;
  }
  return /^\}\}\}\s*$/.test(line.slice(at)) ? { name: head[1] as string, entries } : undefined;
}

/** Parses JSON; undefined when the text is not valid. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ') at++;
  return at;
}

/** Index after the closing quote of the string that opens at `from`; 0 when there is no closing quote. */
function endOfString(text: string, from: number): number {
  let at = text.indexOf('"', from + 1);
  while (at >= 0 && isEscaped(text, at)) at = text.indexOf('"', at + 1);
  return at + 1;
}

/** An odd number of backslashes before a quote escapes it. */
function isEscaped(text: string, quote: number): boolean {
  let slashes = 0;
  while (text[quote - 1 - slashes] === '\\') slashes++;
  return slashes % 2 === 1;
}

/** Index after the value that opens at `from`: a string, number, word, array or object; −1 when it does not end. */
function endOfValue(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const c = text[at];
    if (c === '"') {
      at = endOfString(text, at) - 1;
      if (at < 0) return -1;
    } else if (c === '{' || c === '[') depth++;
    else if ((c === '}' || c === ']' || c === ',') && depth === 0) return at;
    else if (c === '}' || c === ']') depth--;
  }
  return -1;
}

/**
 * Counts the keys that a map has in the kernel: a histogram has one for each bucket that is not empty.
 *
 * @param entries of one map
 */
export function kernelKeys(entries: readonly MapEntry[]): number {
  if (!isHistogram(entries[0]?.value)) return entries.length;
  return entries.reduce(
    (keys, { value }) => keys + (isHistogram(value) ? value.filter(isFilled).length : 1),
    0,
  );
}

/** `[{"min": 4, "max": 7, "count": 2}]`; a tuple is an array of numbers and stacks. */
function isHistogram(value: unknown): value is PrintedBucket[] {
  return Array.isArray(value) && value.every(isBucket);
}

interface PrintedBucket {
  readonly count: unknown;
}

function isBucket(value: unknown): value is PrintedBucket {
  return typeof value === 'object' && value !== null && 'count' in value;
}

function isFilled({ count }: PrintedBucket): boolean {
  return count !== 0;
}

/** The entries of each map at one moment. */
export type MapEntries = ReadonlyMap<string, readonly MapEntry[]>;
