/** A figure of one run. */
export interface Measured {
  readonly value: number;
  /** Variance by chance from run to run; undefined if one run does not show it. */
  readonly variance: number | undefined;
}

/** A figure of all runs of one side. */
export interface Figure {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** A figure before and after. */
export interface Change {
  readonly before: Figure;
  readonly after: Figure;
  /** From median to median. */
  readonly change: number;
  /** The change as a share of the median before; null when that is not above 0. */
  readonly relative: number | null;
  /** Whether the change may be chance; null if the runs do not show it. True without a change. */
  readonly noise: boolean | null;
}

/**
 * Compares the runs of two sides. With several runs on each, a change is more than chance when the ranges of the two
 * do not overlap. Otherwise the number of events decides: when the change is more than two standard deviations.
 *
 * @param before of each run; at least one, and so is `after`
 */
export function compare(before: readonly Measured[], after: readonly Measured[]): Change {
  const figures = { before: figureOf(before), after: figureOf(after) };
  const change = figures.after.median - figures.before.median;
  return {
    ...figures,
    change,
    relative: figures.before.median > 0 ? change / figures.before.median : null,
    noise: change === 0 || isNoise(before, after, change),
  };
}

/** A number of events. For random events, the variance is the number itself (Poisson). */
export function countOf(count: number): Measured {
  return { value: count, variance: count };
}

/**
 * A sum of waits, ns. For random waits with an exponential distribution, whose second moment is twice the square of its
 * mean, the variance of their sum is n * 2 * (time / n)^2 (a compound Poisson process).
 */
export function timeOf(ns: number, waits: number): Measured {
  if (waits === 0) return { value: ns, variance: ns === 0 ? 0 : undefined };
  return { value: ns, variance: (2 * ns * ns) / waits };
}

/** A sum of independent figures: their variances add up. */
export function sumOf(parts: readonly Measured[]): Measured {
  let [value, variance]: [number, number | undefined] = [0, 0];
  for (const part of parts) {
    value += part.value;
    variance = variance === undefined || part.variance === undefined ? undefined : variance + part.variance;
  }
  return { value, variance };
}

/** A figure that is not a sum of events. */
export function single(value: number): Measured {
  return { value, variance: undefined };
}

/** @param runs at least one */
export function figureOf(runs: readonly Pick<Measured, 'value'>[]): Figure {
  const values = runs.map(({ value }) => value);
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** Tells whether the ranges of two figures overlap. */
export function overlap(a: Figure, b: Figure): boolean {
  return a.min <= b.max && b.min <= a.max;
}

/**
 * The probability that the ranges of equal runs do not overlap by chance: of all ways to divide the runs between two
 * sides, two separate them completely.
 */
export function chanceApart(before: number, after: number): number {
  let ways = 1;
  for (let i = 1; i <= after; i++) ways = (ways * (before + i)) / i;
  return 2 / ways;
}

/** Standard deviations that a change has to exceed. */
const DEVIATIONS = 2;

function isNoise(before: readonly Measured[], after: readonly Measured[], change: number): boolean | null {
  if (before.length > 1 && after.length > 1) return overlap(figureOf(before), figureOf(after));
  const [a, b] = [varianceOf(before), varianceOf(after)];
  return a === undefined || b === undefined ? null : Math.abs(change) <= DEVIATIONS * Math.sqrt(a + b);
}

/** The variance of a typical run of one side. */
function varianceOf(runs: readonly Measured[]): number | undefined {
  const known = runs.map(({ variance }) => variance).filter((variance) => variance !== undefined);
  return known.length === runs.length ? median(known) : undefined;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}
