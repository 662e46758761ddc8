/** A line of source code, from debug information; null where that says nothing. */
export interface SourceLine {
  /** The function as it stands in the file: C++ and Rust names are mangled. */
  readonly function: string | null;
  readonly file: string | null;
  readonly line: number | null;
}

/**
 * Reads the output of `addr2line -a -f -i`, and of llvm-symbolizer in GNU style: for each address the functions there,
 * innermost first, each followed by its file and line.
 *
 * ```
 * 0x00000000000011d6
 * inner
 * /src/chain.c:12 (discriminator 2)
 * outer
 * chain.c:?
 * ```
 *
 * @param addresses in the order in which they were passed to the tool
 * @returns the functions of each address; empty where nothing is known
 */
export function parseSourceLines(text: string, addresses: readonly number[]): SourceLine[][] {
  const found: SourceLine[][] = addresses.map(() => []);
  const lines = text.replace(/\n$/, '').split('\n');
  let asked = -1;
  let isReadable = true;
  for (let i = 0; i < lines.length; ) {
    if (isAddress(lines[i] as string, addresses[asked + 1])) {
      asked++;
      i++; // the next line is a name, even if it looks like an address
      isReadable = true;
    }
    const place: SourceLine | undefined = isReadable
      ? sourceLine(lines[i] ?? '', lines[i + 1] ?? '')
      : undefined;
    isReadable &&= place !== undefined;
    if (place && isKnown(place)) found[asked]?.push(place);
    if (!isReadable) found[asked]?.splice(0); // a name has a line break: all of this answer may be shifted
    i += isReadable ? 2 : 1;
  }
  return found;
}

function isAddress(line: string, address: number | undefined): boolean {
  return /^0x[0-9a-f]+$/i.test(line) && Number(line) === address;
}

function sourceLine(name: string, place: string): SourceLine | undefined {
  const [, file, digits] = /^(.*):(\d+|\?)(?: \(discriminator \d+\))?$/.exec(place) ?? [];
  // 0 means unknown, too
  return file === undefined
    ? undefined
    : { function: known(name), file: known(file), line: Number(digits) || null };
}

function isKnown({ function: name, file }: SourceLine): boolean {
  return name !== null || file !== null;
}

function known(text: string): string | null {
  return text === '??' || text === '' ? null : text;
}
