import { createColors } from 'picocolors';
import stringWidth from 'string-width';

/** How a page looks. */
export interface Look {
  /** Maximum columns of a line. */
  readonly columns: number;
  readonly colours: boolean;
  /** Whether to use only ASCII characters. */
  readonly ascii: boolean;
}

/** Joins blocks of lines into a page, with an empty line between blocks. */
export function printPage(blocks: readonly (readonly string[])[], look: Look): string {
  const text = `${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`;
  return look.ascii ? toAscii(text) : text;
}

type Colours = ReturnType<typeof createColors>;

export function coloursOf({ colours }: Look): Colours {
  return createColors(colours);
}

/**
 * Lays out rows in columns. Numbers are right-aligned; the last column is left-aligned and cut at the end of the line.
 *
 * @param head the heading of each column; rows have at most as many cells
 */
export function table(head: readonly string[], rows: readonly (readonly string[])[], look: Look): string[] {
  const all = [head, ...rows];
  const last = head.length - 1;
  const widths = head.slice(0, last).map((_, i) => Math.max(...all.map((row) => stringWidth(row[i] ?? ''))));
  const taken = widths.reduce((sum, width) => sum + width + 2, 2);
  const rest = Math.max(look.columns - taken, MIN_LAST_COLUMN);
  const lines = all.map((row) => {
    const cells = widths.map((width, i) => padStart(row[i] ?? '', width));
    return `  ${[...cells, clip(row[last] ?? '', rest)].join('  ')}`.trimEnd();
  });
  return [coloursOf(look).dim(lines[0] as string), ...lines.slice(1)];
}

/** Minimum width of the last column: a narrower terminal wraps the lines. */
const MIN_LAST_COLUMN = 16;

function padStart(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - stringWidth(text))) + text;
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - stringWidth(text)));
}

/** A bar that fills a share of a width, to an eighth of a column. */
export function bar(share: number, width: number, { ascii }: Look): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8);
  if (ascii) return '#'.repeat(Math.round(eighths / 8));
  return '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] as string);
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** Cuts a text that is too long. Wide characters take two columns. */
export function clip(text: string, columns: number): string {
  if (stringWidth(text) <= columns) return text;
  let fitting = '';
  let width = 0;
  for (const { segment } of GRAPHEMES.segment(text)) {
    width += stringWidth(segment);
    if (width > columns - 1) break;
    fitting += segment;
  }
  return `${fitting}…`;
}

const GRAPHEMES = new Intl.Segmenter();

/** A space, except between a number and its unit. */
const BREAK = / (?!(?<=\d )(?:%|ns|µs|ms|s|min|B|kB|MB|GB)(?!\w))/;

/** Wraps a text. All lines but the first are indented by two more columns. */
export function wrap(text: string, columns: number): string[] {
  const indent = /^ */.exec(text)?.[0] ?? '';
  const lines: string[] = [];
  let line = '';
  for (const word of text.trim().split(BREAK)) {
    const longer = line === '' ? indent + word : `${line} ${word}`;
    if (line !== '' && stringWidth(longer) > columns) {
      lines.push(line);
      line = `${indent}  ${word}`;
    } else line = longer;
  }
  return [...lines, line];
}

const PLAIN: Readonly<Record<string, string>> = { µ: 'u', '…': '~', '≈': '~', '×': 'x' };

function toAscii(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours and newlines stay.
  return text.replace(/[^\x00-\x7f]/gu, (character) => PLAIN[character] ?? '?');
}
