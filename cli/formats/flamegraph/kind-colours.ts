import { ON_CPU, UNACCOUNTED } from '../../../metrics/kinds.ts';
import type { Measurement } from '../../../metrics/measurement.ts';
import type { KindColours } from './flame-profile.ts';

/** The colours of all kinds of time: those of the profilers, and of time that no profiler's stack shows. */
export function coloursOf(measurements: readonly Measurement[]): KindColours {
  const own = measurements.map(({ stacks }) => stacks?.colours ?? {});
  return Object.assign({ [ON_CPU]: [50, 0.13], [UNACCOUNTED]: [0, 0] }, ...own);
}
