import { readFileSync, writeFileSync } from 'node:fs';

/** One measurement of btprof and of one of its peers, from runs taken in turn. */
export interface Row {
  readonly measure: string;
  /** Version of bpftrace; null if it does not matter. */
  readonly bpftrace: string | null;
  readonly peer: string;
  /** Our figure divided by theirs, by turn. */
  readonly ratios: readonly number[];
  /** The highest acceptable ratio. */
  readonly aim?: number | undefined;
  /** Median with its unit. `theirs` has the same form. */
  readonly ours: string;
  readonly theirs: string;
}

/** A peer that cannot run here. */
export interface Missing {
  readonly measure: string;
  readonly bpftrace: string | null;
  readonly peer: string;
  readonly reason: string;
}

export type Result = Row | Missing;

/** Content of docs/benchmarks.json. */
interface Kept {
  readonly machine: string;
  readonly ratios: readonly { readonly row: string; readonly ratio: number }[];
}

export function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

/** Runs each of them once per turn, so that other load on the machine affects all of them alike. */
export async function inTurn<T>(turns: number, measures: readonly (() => Promise<T>)[]): Promise<T[][]> {
  const results: T[][] = measures.map(() => []);
  for (let turn = 0; turn < turns; turn++)
    for (const [i, measure] of measures.entries()) results[i]?.push(await measure());
  return results;
}

/**
 * @param ours one figure per turn
 * @param theirs figures of the same turns
 */
export function rowOf(
  { measure, bpftrace, peer, aim }: Pick<Row, 'measure' | 'bpftrace' | 'peer' | 'aim'>,
  ours: readonly number[],
  theirs: readonly number[],
  show: (n: number) => string,
): Row {
  const ratios = ours.map((n, turn) => n / (theirs[turn] ?? Number.NaN));
  return { measure, bpftrace, peer, aim, ratios, ours: show(median(ours)), theirs: show(median(theirs)) };
}

/** Because of noise, the difference of two times can be 0 or negative. */
const isMeasured = ({ ratios }: Row): boolean => ratios.every((ratio) => ratio > 0 && ratio < Infinity);

export const reached = (row: Result): boolean =>
  'reason' in row || row.aim === undefined || (isMeasured(row) && median(row.ratios) <= row.aim);

const cellsOf = (row: Result): string[] => {
  const first = [row.measure, row.bpftrace ?? '', row.peer];
  if ('reason' in row) return [...first, '', '', `cannot run here: ${row.reason}`, '', ''];
  const ratio = median(row.ratios);
  const range = [Math.min(...row.ratios), Math.max(...row.ratios)].map(figure).join(' to ');
  const aim = row.aim === undefined ? '' : `${figure(row.aim)}${reached(row) ? '' : ' (missed)'}`;
  return [...first, row.ours, row.theirs, isMeasured(row) ? figure(ratio) : TOO_NOISY, range, aim];
};

const TOO_NOISY = 'too noisy on this machine';

const figure = (n: number) => (Math.abs(n) < 0.1 ? n.toPrecision(2) : n.toFixed(2));

const HEAD = ['measure', 'bpftrace', 'compared with', 'btprof', 'peer', 'ratio', 'range', 'aim'];

/** Formats a Markdown table with aligned columns. */
export function tableOf(rows: readonly Result[]): string {
  const cells = [HEAD, ...rows.map(cellsOf)];
  const widths = HEAD.map((_, column) => Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = cells;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}

const nameOf = ({ measure, bpftrace, peer }: Result) => [measure, bpftrace ?? '-', peer].join('; ');

/** Writes the ratios for `judgeChange`. */
export function keep(rows: readonly Result[], machine: string, file: string): void {
  const ratios = rows.flatMap((row): Kept['ratios'] =>
    'reason' in row || !isMeasured(row)
      ? []
      : [{ row: nameOf(row), ratio: Number(median(row.ratios).toPrecision(4)) }],
  );
  writeFileSync(file, `${JSON.stringify({ machine, ratios } satisfies Kept, null, 2)}\n`);
}

/**
 * Finds rows that got worse than the committed ones by more than the spread of this run's turns. Also finds rows that were
 * not measured this time.
 *
 * @returns a sentence for each, plus one if a different machine may be the reason
 */
export function judgeChange(rows: readonly Result[], machine: string, file: string): string[] {
  const { machine: before, ratios } = JSON.parse(readFileSync(file, 'utf8')) as Kept;
  const now = new Map(rows.map((row) => [nameOf(row), row]));
  const worse = ratios.flatMap(({ row, ratio }) => judgeRow(row, now.get(row), ratio) ?? []);
  return worse.length === 0 || machine === before
    ? worse
    : [...worse, `the committed ratios are of another machine, ${before}; this one is ${machine}`];
}

function judgeRow(name: string, row: Result | undefined, before: number): string | undefined {
  if (!row) return `not measured: ${name}`;
  if ('reason' in row) return `not measured: ${name}: ${row.reason}`;
  if (!isMeasured(row)) return `not measured: ${name}: ${TOO_NOISY}`;
  const [now, noise] = [median(row.ratios), noiseOf(row.ratios)];
  return now <= before + noise
    ? undefined
    : `worse than before: ${name}: ${figure(now)}, and was ${figure(before)}; the turns differ by ${figure(noise)}`;
}

/** The spread of the turns, without the best and the worst one. */
function noiseOf(ratios: readonly number[]): number {
  const inner = ratios.toSorted((a, b) => a - b).slice(1, -1);
  return (inner.at(-1) ?? 0) - (inner[0] ?? 0);
}
