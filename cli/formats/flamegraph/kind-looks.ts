import { ON_CPU, UNACCOUNTED } from '../../../metrics/kinds.ts';
import type { Measurement } from '../../../metrics/measurement.ts';
import type { KindColours, KindEvents } from './flame-profile.ts';

/** The colours of all kinds of time: those of the profilers, and of time that no profiler's stack shows. */
export function coloursOf(measurements: readonly Measurement[]): KindColours {
  const own = measurements.map(({ stacks }) => stacks?.colours ?? {});
  return Object.assign({ [ON_CPU]: [50, 0.13], [UNACCOUNTED]: [0, 0] }, ...own);
}

/** The word for an event of each kind of time, by the profilers; unaccounted time has no events. */
export function eventWordsOf(measurements: readonly Measurement[]): KindEvents {
  const words = measurements.flatMap(({ stacks: view }) => {
    if (!view) return [];
    const kinds = [...Object.keys(view.colours), ...(view.samplesCpu ? [ON_CPU] : [])];
    return kinds.map((kind) => [kind, view.event] as const);
  });
  return Object.fromEntries(words);
}
