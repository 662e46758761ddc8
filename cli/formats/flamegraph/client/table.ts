import { formatCount, formatNs, formatShare } from '../../../../metrics/units.ts';
import { type FunctionTableRow, functionRows } from '../functions.ts';
import { patternOf } from '../search.ts';
import { totalNs } from '../tree-sums.ts';
import type { App } from './app.ts';
import { button, element, textElement } from './elements.ts';

const MOST_ROWS = 200;
const COLUMNS = ['self', 'total', 'function'] as const;
type Column = (typeof COLUMNS)[number];

/** The table of functions below the zoomed frame. A click on a name searches for it. */
export function useTable(app: App): void {
  let sort: Column = 'total';
  let rows: FunctionTableRow[] = [];
  const show = () => {
    const sorted = [...rows].sort(comparison(app, sort));
    const all = totalNs(app.tree, app.state.zoom);
    element('functions').replaceChildren(...sorted.slice(0, MOST_ROWS).map((row) => tableRow(app, row, all)));
    const left = sorted.length - MOST_ROWS;
    element('functions-left').textContent = left > 0 ? `and ${formatCount(left)} more functions` : '';
    for (const column of COLUMNS) {
      const direction = column === 'function' ? 'ascending' : 'descending';
      element(`by-${column}`).parentElement?.setAttribute('aria-sort', sort === column ? direction : 'none');
    }
  };
  // Let the browser paint the graph first.
  const refresh = afterPaint(() => {
    rows = functionRows(app.profile, app.tree, app.state.zoom);
    show();
  });
  for (const column of COLUMNS) {
    element(`by-${column}`).addEventListener('click', () => {
      sort = column;
      show();
    });
  }
  app.listen((change) => {
    if (change.zoom !== undefined || change.view) refresh();
    else if (change.search !== undefined) show();
  });
  refresh();
}

function afterPaint(work: () => void): () => void {
  let timer: number | undefined;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, 30);
  };
}

function comparison({ profile }: App, sort: Column): (a: FunctionTableRow, b: FunctionTableRow) => number {
  if (sort === 'self') return (a, b) => b.selfNs - a.selfNs || b.totalNs - a.totalNs;
  if (sort === 'total') return (a, b) => b.totalNs - a.totalNs || b.selfNs - a.selfNs;
  const name = ({ frame }: FunctionTableRow) => profile.frames[frame]?.name ?? '';
  return (a, b) => name(a).localeCompare(name(b));
}

function tableRow(app: App, { frame, selfNs, totalNs }: FunctionTableRow, all: number): HTMLElement {
  const { name = '', kind, module } = app.profile.frames[frame] ?? {};
  const row = document.createElement('tr');
  row.className = app.isMatch(frame) ? 'match' : '';
  const find = button(name, () => app.update({ search: patternOf(name) }));
  find.title = [name.slice(0, 500), kind === 'kernel' ? 'kernel' : module].filter((part) => part).join('\n');
  const cell = document.createElement('td');
  cell.append(find);
  row.append(timeCell(selfNs, all), timeCell(totalNs, all), cell);
  return row;
}

/** Shows the share also as a bar behind the time. */
function timeCell(ns: number, all: number): HTMLElement {
  const cell = textElement('td', ns > 0 ? formatNs(ns) : '–', 'time');
  cell.title = formatShare(ns, all);
  cell.style.setProperty('--share', `${all > 0 ? (100 * ns) / all : 0}%`);
  return cell;
}
