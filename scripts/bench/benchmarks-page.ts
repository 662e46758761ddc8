import { type Result, tableOf } from './rows.ts';

export const PAGE = 'docs/benchmarks.md';

const LONG_HEAD = '\n## Long collections\n';

/** The section of docs/benchmarks.md on long collections; empty if the page has none. */
export function longSection(page: string): string {
  const at = page.indexOf(LONG_HEAD);
  return at < 0 ? '' : page.slice(at);
}

/** Replaces that section; `notes` are list items below the table. */
export function withLongRows(
  page: string,
  rows: readonly Result[],
  notes: readonly string[],
  machine: string,
): string {
  const rest = page.slice(0, page.length - longSection(page).length);
  return `${rest}${LONG_HEAD}
\`npm run bench -- bounded\` wrote this section, as root. Three \`btprof system\` run at once, on a machine that starts 50 short
processes a second. A figure is the resident memory of btprof's own process: the least of one sample a second, in the eighth
of the run that ends at that time. The aim is growth below 5 % or 10 MB.

Machine: ${machine}.

${tableOf(rows)}

${notes.join('\n')}
`;
}
