import type { DiffLine, DiffSection } from '../../../metrics/diff-part.ts';
import type { Measurement, StackView } from '../../../metrics/measurement.ts';
import { isTime } from '../../../metrics/metric-path.ts';
import type { Change } from '../../../metrics/noise.ts';
import { diffSections } from '../../../metrics/profile-diff.ts';
import type { Diff } from '../../../metrics/schema.ts';
import { formatCount, formatSignedNs, plural } from '../../../metrics/units.ts';
import { clip, coloursOf, type Look, padEnd, printPage, table, wrap } from '../../page.ts';
import { printable } from '../../plain-text.ts';
import type { DiffLook } from '../format.ts';
import { asCount, range, relativeChange, signed } from './change.ts';

/** Shows what changed: the account, the tables of the profilers, and stacks. */
export function diffView(diff: Diff, measurements: readonly Measurement[], look: DiffLook): string {
  const sections = sectionsOf(diff, measurements, look).filter(({ rows }) => rows.length > 0);
  const blocks = [headBlock(diff, look), ...sections.map((section) => sectionBlock(section, diff, look))];
  return printPage([...blocks, legend(diff, look)], look);
}

function headBlock({ before, after, notes, account }: Diff, look: DiffLook): string[] {
  const { bold, yellow } = coloursOf(look);
  const sides = [
    ['before', before, account.wall_time_ns.before],
    ['after', after, account.wall_time_ns.after],
  ] as const;
  const [names] = new Set(after.map(({ metadata }) => commandOf(metadata)));
  return [
    bold(clip(`btprof diff: ${names}`, look.columns)),
    ...sides.flatMap(([side, runs, wall]) => {
      const spread = runs.length > 1 ? ` (${range(wall, formatSignedNs)})` : '';
      const files = runs.map(({ file }) => printable(file)).join(', ');
      return wrap(
        `  ${padEnd(side, 6)} ${formatSignedNs(wall.median)}${spread}, ${plural(runs.length, 'run')}: ${files}`,
        look.columns,
      );
    }),
    ...notes.flatMap((note) => wrap(`Note: ${printable(note)}`, look.columns).map((line) => yellow(line))),
  ];
}

function commandOf({ mode, cmd, pids }: Diff['before'][number]['metadata']): string {
  if (mode === 'system') return 'the whole machine';
  return mode === 'run' ? cmd.map(printable).join(' ') : `process ${pids.join(', ')}`;
}

function sectionsOf(diff: Diff, measurements: readonly Measurement[], { verbose }: DiffLook): DiffSection[] {
  const { withStacks, others } = diffSections(diff, measurements, { verbose, several: hasSeveral(diff) });
  const views = comparedViews(diff, measurements);
  const width = Math.max(
    0,
    ...views.flatMap(({ colours }) => Object.keys(colours)).map(({ length }) => length),
  );
  const chains = diff.call_chains
    .map((row): DiffLine => ({ change: row.time_ns, name: chainName(row, width) }))
    .filter(({ change }) => verbose || change.change !== 0);
  const events = views.map(({ event }) => `${event}s`).join(' and ');
  return [
    { title: 'time of all threads', unit: 'ns', ranges: true, most: 4, rows: accountRows(diff) },
    ...withStacks,
    {
      ...{ title: `${events} by functions [library, kernel]`, unit: 'ns', most: verbose ? 40 : 8 },
      rows: chains,
    },
    ...others,
  ];
}

/** How to read the stacks that all results have. */
function comparedViews({ before, after }: Diff, measurements: readonly Measurement[]): StackView<unknown>[] {
  return measurements.flatMap(({ name, stacks }) =>
    stacks && [...before, ...after].every(({ metadata }) => metadata.profilers.includes(name)) ? stacks : [],
  );
}

function hasSeveral({ before, after }: Diff): boolean {
  return before.length > 1 || after.length > 1;
}

/** `69 -> 70`, or one figure for both. */
function fromTo({ before, after }: Change): string {
  const [from, to] = [asCount(before.median), asCount(after.median)];
  return from === to ? to : `${from} -> ${to}`;
}

function accountRows({ account }: Diff): DiffLine[] {
  const { wall_time_ns, on_cpu_ns, off_cpu_ns, miscounted_ns, unaccounted_ns } = account;
  return [
    { change: wall_time_ns, name: 'wall time' },
    ...(on_cpu_ns ? [{ change: on_cpu_ns, name: 'on the CPU' }] : []),
    ...(off_cpu_ns ? [{ change: off_cpu_ns, name: 'off the CPU' }] : []),
    ...(miscounted_ns ? [{ change: miscounted_ns, name: 'accounting drift' }] : []),
    ...(unaccounted_ns ? [{ change: unaccounted_ns, name: 'unaccounted' }] : []),
  ];
}

/** @param width of the longest kind */
function chainName({ kind, idle, functions }: Diff['call_chains'][number], width: number): string {
  const work = idle ? '(idle) ' : '';
  return `${padEnd(kind, width + 1)}${work}${functions || '(no stack)'}`;
}

function sectionBlock(section: DiffSection, diff: Diff, look: DiffLook): string[] {
  const { title, unit, rows, most, cells = [] } = section;
  const format = unit === 'ns' ? formatSignedNs : asCount;
  const ranges = section.ranges && hasSeveral(diff);
  const shown = rows.slice(0, most);
  const left = rows.length > most ? ` (${formatCount(most)} of ${formatCount(rows.length)})` : '';
  const spread = ranges ? ['range'] : [];
  const head = ['before', ...spread, 'after', ...spread, 'change', '', '', ...cells, `${title}${left}`];
  const lines = shown.map(({ change, cells = [], name }) => [
    format(change.before.median),
    ...(ranges ? [range(change.before, format)] : []),
    format(change.after.median),
    ...(ranges ? [range(change.after, format)] : []),
    ...[signed(change.change, format), relativeChange(change), markOf(change)],
    ...[...cells.map((cell) => (cell ? fromTo(cell) : '')), printable(name)],
  ]);
  const [heading = '', ...printed] = table(head, lines, look);
  const { dim } = coloursOf(look);
  return [heading, ...printed.map((line, i) => (shown[i]?.change.noise ? dim(line) : line))];
}

/** Marks a change that may be noise. */
function markOf({ change, noise }: Change): string {
  if (change === 0) return '=';
  return noise === null ? '?' : noise ? '~' : '';
}

function legend(diff: Diff, look: DiffLook): string[] {
  const byRanges = diff.before.length > 1 && diff.after.length > 1;
  const rules = byRanges
    ? 'Medians of several runs; ~ ranges of the two sides overlap'
    : '~ within noise, estimated from the number of events; ? unknown from one run';
  return wrap(`${rules}; = no change.`, look.columns).map(coloursOf(look).dim);
}

/** Prints a line for each gate: its figures, and whether it was crossed. */
export function gatesView(
  gates: Diff['gates'],
  metrics: readonly string[],
  several: boolean,
  measurements: readonly Measurement[],
  look: Look,
): string {
  const lines = gates.map((result, i) => {
    const { gate, crossed, before, after } = result;
    const format = isTime(metrics[i] ?? '', measurements) ? formatSignedNs : asCount;
    const share = result.change === 0 ? 'no change' : relativeChange(result) || signed(result.change, format);
    const runs = several ? `; runs ${range(before, format)} -> ${range(after, format)}` : '';
    const { red, green } = coloursOf(look);
    const verdict = crossed ? red('crossed') : green('held');
    return `gate ${printable(gate)}: ${verdict}: ${format(before.median)} -> ${format(after.median)} (${share}${runs})`;
  });
  return lines.length > 0 ? printPage([lines], look) : '';
}
