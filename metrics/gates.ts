import { BtprofError, UsageError } from './errors.ts';
import type { Measurement } from './measurement.ts';
import { closestMetrics, isTime, metricOf, namedBy } from './metric-path.ts';
import { type Figure, figureOf, overlap } from './noise.ts';
import type { Side, Sides } from './sides.ts';
import { TIME_UNITS_NS } from './units.ts';

/** A limit of `--fail-if`. */
export interface Gate {
  readonly text: string;
  readonly metric: string;
  readonly above: boolean;
  /** What is limited: the relative change, the absolute change, or the value of AFTER. */
  readonly of: 'relative' | 'change' | 'level';
  /** A share, ns, or a number. */
  readonly limit: number;
}

/** The result of a gate. */
export interface GateResult {
  readonly gate: string;
  readonly crossed: boolean;
  readonly before: Figure;
  readonly after: Figure;
  readonly change: number;
  /** Null when BEFORE is not above 0. */
  readonly relative: number | null;
}

/**
 * Reads `METRIC>VALUE` or `METRIC<VALUE`: `lock>+20%`, `syscalls.by_syscall.read.count>+100`,
 * `offcpu.total_time_ns>2s`.
 *
 * @throws UsageError if the text is not a gate
 */
export function parseGate(text: string, measurements: readonly Measurement[]): Gate {
  const parts = /^\s*([^<>=\s]+)\s*([<>])\s*([+-]?)(\d+(?:\.\d+)?)\s*(%|[a-zµ]+)?\s*$/.exec(text);
  if (!parts) throw gateError(text, 'is not METRIC>VALUE or METRIC<VALUE', formHint(measurements));
  const [, metric = '', operator, sign = '', digits = '', unit = ''] = parts;
  if (!metric.includes('.') && !namedBy(metric, measurements)) {
    const closest = closestMetrics([], metric, measurements).join(', ');
    const hint = `A metric is a short name or a path with dots. Closest: ${closest}`;
    throw gateError(text, `is about ${JSON.stringify(metric)}, which is not a metric`, hint);
  }
  const of = sign === '' ? 'level' : unit === '%' ? 'relative' : 'change';
  if (sign === '' && unit === '%') {
    throw gateError(text, 'has a share without a sign', `Type: '${metric}${operator}+${digits}%'`);
  }
  const size = unit === '%' ? Number(digits) / 100 : sizeOf(text, metric, digits, unit, measurements);
  return { text, metric, above: operator === '>', of, limit: sign === '-' ? -size : size };
}

/** Examples of gates for a hint. */
function formHint(measurements: readonly Measurement[]): string {
  const examples = measurements.flatMap(({ metrics }) => metrics?.example ?? []);
  return `Such as: ${[...examples, 'account.on_cpu_ns>+50ms'].map((gate) => `--fail-if '${gate}'`).join(', ')}`;
}

function sizeOf(
  text: string,
  metric: string,
  digits: string,
  unit: string,
  measurements: readonly Measurement[],
): number {
  const size = Number(digits);
  const ns = TIME_UNITS_NS.get(unit);
  if (unit !== '' && ns === undefined) {
    throw gateError(
      text,
      `has the unit '${unit}'`,
      `Give one of ${[...TIME_UNITS_NS.keys()].join(', ')} or %.`,
    );
  }
  if (!isTime(metric, measurements) && unit !== '') {
    throw gateError(text, `has a time, but ${metric} is not a time`, 'Give a number without a unit.');
  }
  if (isTime(metric, measurements) && unit === '' && size !== 0) {
    throw gateError(text, `needs a unit because ${metric} is a time`, `Such as: ${digits}ms`);
  }
  return size * (ns ?? 1);
}

function gateError(text: string, what: string, hint: string): UsageError {
  return new UsageError(`the gate ${JSON.stringify(text)} ${what}.`, hint, 2);
}

/**
 * Compares the medians of the two sides. If a gate forbids growth or shrinking and a side has several runs, it is
 * crossed only if the ranges of the two sides do not overlap: otherwise the change may be chance.
 *
 * @throws UsageError if no run has the metric; BtprofError if only some have it, or if one is incomplete
 */
export function judgeGate(gate: Gate, sides: Sides, measurements: readonly Measurement[]): GateResult {
  const { before: olds, after: news } = valuesOf(gate, sides, measurements);
  const [before, after] = [figureOf(olds), figureOf(news)];
  const change = after.median - before.median;
  const measured = { relative: shareOf(change, before.median), change, level: after.median }[gate.of];
  const exceeded = gate.above ? measured > gate.limit : measured < gate.limit;
  const several = olds.length > 1 || news.length > 1;
  const byChance = forbidsChange(gate) && several && overlap(before, after);
  const relative = before.median > 0 ? change / before.median : null;
  return { gate: gate.text, crossed: exceeded && !byChance, before, after, change, relative };
}

/** Growth from 0 counts as infinite. */
function shareOf(change: number, before: number): number {
  if (change === 0) return 0;
  return before === 0 ? Math.sign(change) * Infinity : change / Math.abs(before);
}

/** Tells whether a gate forbids a change. `lock>-10%` does not: it demands one. */
function forbidsChange({ of, above, limit }: Gate): boolean {
  return of !== 'level' && (above ? limit >= 0 : limit <= 0);
}

function valuesOf({ text, metric }: Gate, { before, after }: Sides, measurements: readonly Measurement[]) {
  const runs = [...before, ...after];
  const cut = runs.find(({ profile }) => profile.metadata.incomplete);
  if (cut) throw notJudged(text, `${JSON.stringify(cut.file)} is incomplete`, 'Profile it again.');
  const values = runs.map(({ profile }) => metricOf(profile, metric, measurements));
  const missing = runs.find((_, i) => values[i] === undefined);
  if (missing && values.every((value) => value === undefined))
    throw unknownMetric(text, metric, runs, measurements);
  if (missing) {
    const problem = `${JSON.stringify(missing.file)} has no ${metric}`;
    throw notJudged(text, problem, 'Profile both sides with the same options.');
  }
  const measured = (values as number[]).map((value) => ({ value }));
  return { before: measured.slice(0, before.length), after: measured.slice(before.length) };
}

function notJudged(gate: string, problem: string, hint: string): BtprofError {
  return new BtprofError(`the gate ${JSON.stringify(gate)} cannot be judged: ${problem}.`, hint);
}

function unknownMetric(
  text: string,
  metric: string,
  runs: readonly Side[],
  measurements: readonly Measurement[],
): UsageError {
  const profiles = runs.map(({ profile }) => profile);
  const hint =
    namedBy(metric, measurements)?.metrics?.missing ??
    `Closest: ${closestMetrics(profiles, metric, measurements).join(', ')}`;
  return gateError(text, `is about ${JSON.stringify(metric)}, which no result has`, hint);
}
