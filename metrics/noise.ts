/** A figure of one run. */
export interface Measured {
  readonly value: number;
  /** How far another run would be off by chance, squared; undefined when one run does not tell. */
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
  /** Whether it may be chance; null when the runs do not tell. Without a change it is true. */
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

/** A number of events. When they come at random, its variance is the number itself (Poisson). */
export function countOf(count: number): Measured {
  return { value: count, variance: count };
}

/**
 * A sum of waits, ns. When they come at random and are as scattered as an exponential distribution, whose second moment is
 * twice the square of its mean, the variance of their sum is n * 2 * (time / n)^2 (a compound Poisson process).
 */
export function timeOf(ns: number, waits: number): Measured {
  if (waits === 0) return { value: ns, variance: ns === 0 ? 0 : undefined };
  return { value: ns, variance: (2 * ns * ns) / waits };
}

/** A sum of figures that do not depend on one another: variances add up. */
export function sumOf(parts: readonly Measured[]): Measured {
  let [value, variance]: [number, number | undefined] = [0, 0];
  for (const part of parts) {
    value += part.value;
    variance = variance === undefined || part.variance === undefined ? undefined : variance + part.variance;
  }
  return { value, variance };
}

/** A figure that is no sum of events. */
export function single(value: number): Measured {
  return { value, variance: undefined };
}

/** @param runs at least one */
export function figureOf(runs: readonly Pick<Measured, 'value'>[]): Figure {
  const values = runs.map(({ value }) => value);
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** Whether one value may be on either side. */
export function overlap(a: Figure, b: Figure): boolean {
  return a.min <= b.max && b.min <= a.max;
}

/**
 * How often the ranges of runs that do not differ are apart by chance: of all ways to share them out to two sides, all of
 * one are below all of the other in two.
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

/** Of a typical run: one side has no more than that. */
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
