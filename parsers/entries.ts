/** One key of a printed map with its value. Keys may repeat: a stack that could not be read prints as nothing. */
export interface Entry {
  /** As it stands in the line, escapes and all: our keys are numbers, names of maps and stacks, and need no copy. */
  readonly key: string;
  /** Undefined when it is not JSON, such as a number in hexadecimal. */
  readonly value: unknown;
}

/**
 * The entries of the one map in a `map`, `stats` or `hist` line, in order, also those whose keys print alike:
 * JSON.parse would keep the last of them and lose the others' counts in silence.
 *
 * @param line such as `{"type": "map", "data": {"@calls": {"2933,1": 1, "2933,231": 1}}}`
 * @returns the map's name and entries; undefined when the line has another shape, is cut off, or when the map has no
 *   keys
 */
export function readMapLine(line: string): { name: string; entries: Entry[] } | undefined {
  const head = /^\{"type": ?"\w+", ?"data": ?\{"(@\w*)": ?\{ */.exec(line);
  if (!head) return undefined;
  const entries: Entry[] = [];
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

/** The value of a JSON text; undefined when it is none. */
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

/** Index after the closing quote of the string that opens at `from`; 0 when it does not end. */
function endOfString(text: string, from: number): number {
  let at = text.indexOf('"', from + 1);
  while (at >= 0 && isEscaped(text, at)) at = text.indexOf('"', at + 1);
  return at + 1;
}

/** A quote is escaped by an odd number of backslashes before it. */
function isEscaped(text: string, quote: number): boolean {
  let slashes = 0;
  while (text[quote - 1 - slashes] === '\\') slashes++;
  return slashes % 2 === 1;
}

/** Index after the value that opens at `from`: a string, a number or word, or an array or object of those; −1 without end. */
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
