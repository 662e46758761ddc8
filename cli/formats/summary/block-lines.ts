import type { Block, Cell, Line, Text } from '../../../metrics/blocks.ts';
import { formatCount, formatNs, formatShare } from '../../../metrics/units.ts';
import { coloursOf, type Look, table, wrap } from '../../page.ts';
import { printable } from '../../plain-text.ts';

/** The lines of a block as a page shows them. */
export function blockLines(block: Block, look: Look): string[] {
  return block.flatMap((line) => linesOf(line, look));
}

function linesOf(line: Line, look: Look): string[] {
  switch (line.kind) {
    case 'text': {
      const strong = line.strong ? coloursOf(look).bold(textOf(line.strong)) : '';
      return wrap(`${strong}${textOf(line.text)}`, look.columns);
    }
    case 'line':
      return [textOf(line.text)];
    case 'table':
      return table(
        line.head,
        line.rows.map((row) => row.map((cell) => (isText(cell) ? textOf(cell) : format(cell)))),
        look,
      );
  }
}

function isText(cell: Cell | Text): cell is Text {
  return Array.isArray(cell);
}

function textOf(text: Text): string {
  return text.map(format).join('');
}

/** Names come from the programs that are watched: nothing in them may control the terminal. */
function format(cell: Cell): string {
  if (typeof cell === 'string') return printable(cell);
  if ('ns' in cell) return formatNs(cell.ns);
  return 'share' in cell ? formatShare(cell.share, cell.of) : formatCount(cell.count);
}
