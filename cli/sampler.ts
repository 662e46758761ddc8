import type { AddressSpaces } from '../metrics/mappings.ts';
import { type Collected, type Earlier, type Pending, readSample } from '../metrics/profile.ts';
import type { Sample } from '../metrics/schema.ts';

/** Reads the samples of one collection in turn: each has what is new since the one before. */
export function newSampler(): (window: Collected & { readonly spaces: AddressSpaces }) => Pending<Sample> {
  let earlier: Earlier | undefined;
  return (window) => {
    const sample = readSample(window, earlier, window.spaces);
    const { maps, tick } = window.recording;
    earlier = { maps, at: tick ?? 0 };
    return sample;
  };
}
