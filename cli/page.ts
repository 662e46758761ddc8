import { createColors } from 'picocolors';
import stringWidth from 'string-width';

/** How a page looks. */
export interface Look {
  /** Columns that a line may have. */
  readonly columns: number;
  readonly colours: boolean;
  /** Nothing but ASCII. */
  readonly ascii: boolean;
}

/** As much as fits, and no more than that: the whole page for people. */
export function printPage(blocks: readonly (readonly string[])[], look: Look): string {
  const text = `${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`;
  return look.ascii ? toAscii(text) : text;
}

type Colours = ReturnType<typeof createColors>;

export function coloursOf({ colours }: Look): Colours {
  return createColors(colours);
}

/**
 * Rows in columns: numbers to the right, the last column to the left and as long as the line has room.
 *
 * @param head of each column; the rows are no longer than it
 */
export function table(head: readonly string[], rows: readonly (readonly string[])[], look: Look): string[] {
  const all = [head, ...rows];
  const last = head.length - 1;
  const widths = head.slice(0, last).map((_, i) => Math.max(...all.map((row) => stringWidth(row[i] ?? ''))));
  const taken = widths.reduce((sum, width) => sum + width + 2, 2);
  const room = Math.max(look.columns - taken, LEAST_ROOM);
  const lines = all.map((row) => {
    const cells = widths.map((width, i) => padStart(row[i] ?? '', width));
    return `  ${[...cells, clip(row[last] ?? '', room)].join('  ')}`.trimEnd();
  });
  return [coloursOf(look).dim(lines[0] as string), ...lines.slice(1)];
}

/** Columns of the last column of a table: a terminal that has not as many breaks the lines. */
const LEAST_ROOM = 16;

function padStart(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - stringWidth(text))) + text;
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - stringWidth(text)));
}

/** A bar of that share of the room, to an eighth of a column. */
export function bar(share: number, room: number, { ascii }: Look): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * room * 8);
  if (ascii) return '#'.repeat(Math.round(eighths / 8));
  return '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] as string);
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** Cut where it has no room; wide characters take two columns. */
export function clip(text: string, columns: number): string {
  if (stringWidth(text) <= columns) return text;
  let kept = '';
  let width = 0;
  for (const { segment } of GRAPHEMES.segment(text)) {
    width += stringWidth(segment);
    if (width > columns - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

const GRAPHEMES = new Intl.Segmenter();

/** A space, but for that between a figure and its unit. */
const BREAK = / (?!(?<=\d )(?:%|ns|µs|ms|s|min|B|kB|MB|GB)(?!\w))/;

/** Text in lines, the later ones indented by two more. */
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

/** Names come from the programs that are watched: nothing in them may steer the terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu, '?');
}

const PLAIN: Readonly<Record<string, string>> = { µ: 'u', '…': '~' };

function toAscii(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours and newlines stay.
  return text.replace(/[^\x00-\x7f]/gu, (character) => PLAIN[character] ?? '?');
}
