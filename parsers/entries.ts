/** One key of a printed map with its value. Keys may repeat: a stack that could not be read prints as nothing. */
export interface Entry {
  readonly key: string;
  readonly value: unknown;
}

/**
 * The entries of the one map in a `map`, `stats` or `hist` line, in order, also those whose keys print alike:
 * JSON.parse would keep the last of them and lose the others' counts in silence.
 *
 * @param line such as `{"type": "map", "data": {"@calls": {"2933,1": 1, "2933,231": 1}}}`, valid as JSON
 * @returns the map's name and entries, or the name and the bare value of a map without keys; undefined when
 *   the line has another shape
 */
export function readMapLine(
  line: string,
): { name: string; entries: Entry[] } | { name: string; value: unknown } | undefined {
  const head = /^\{"type": ?"\w+", ?"data": ?\{("@\w*"): ?/.exec(line);
  if (!head) return undefined;
  const name = JSON.parse(head[1] as string) as string;
  const start = head[0].length;
  if (line[start] !== '{') return { name, value: JSON.parse(line).data[name] };
  const entries: Entry[] = [];
  let at = skipSpace(line, start + 1);
  while (line[at] !== '}') {
    const keyEnd = endOfString(line, at);
    const valueStart = skipSpace(line, keyEnd + 1);
    const valueEnd = endOfValue(line, valueStart);
    entries.push({
      key: JSON.parse(line.slice(at, keyEnd)),
      value: JSON.parse(line.slice(valueStart, valueEnd)),
    });
    at = line[valueEnd] === ',' ? skipSpace(line, valueEnd + 1) : valueEnd;
  }
  return { name, entries };
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && ' :\t\n\r'.includes(text[at] as string)) at++;
  return at;
}

/** Index after the closing quote of the string that opens at `from`. */
function endOfString(text: string, from: number): number {
  let at = text.indexOf('"', from + 1);
  while (at >= 0 && isEscaped(text, at)) at = text.indexOf('"', at + 1);
  if (at < 0) throw new SyntaxError(`a string that opens at ${from} does not end`);
  return at + 1;
}

/** A quote is escaped by an odd number of backslashes before it. */
function isEscaped(text: string, quote: number): boolean {
  let slashes = 0;
  while (text[quote - 1 - slashes] === '\\') slashes++;
  return slashes % 2 === 1;
}

/** Index after the value that opens at `from`: a string, a number or word, or an array or object of those. */
function endOfValue(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const c = text[at];
    if (c === '"') at = endOfString(text, at) - 1;
    else if (c === '{' || c === '[') depth++;
    else if ((c === '}' || c === ']' || c === ',') && depth === 0) return at;
    else if (c === '}' || c === ']') depth--;
  }
  throw new SyntaxError(`a value that opens at ${from} does not end`);
}
