import type { Option } from 'commander';
import type { IdleView } from '../../metrics/blocks.ts';
import type { Facts } from '../../metrics/facts.ts';
import type { GateResult } from '../../metrics/gates.ts';
import type { Measurement } from '../../metrics/measurement.ts';
import type { Profile, Sample } from '../../metrics/schema.ts';
import type { Sides } from '../../metrics/sides.ts';
import type { Look } from '../page.ts';

/**
 * An output format. It is one file in this folder and one line in format-registry.ts; the options, the help and the
 * commands find it there. Every start loads these files, so whatever renders a result is imported when it is needed.
 */
export interface Format<Options extends object = object> {
  /** What `--format` calls it. */
  readonly name: string;
  /** What it is or which program reads it, in one line of the help. */
  readonly summary: string;
  /** Whether `--NAME` is short for `--format NAME`. */
  readonly hasFlag?: boolean;
  /** A page for people: under `run` it goes to stderr, next to the messages of the command. */
  readonly isPage?: boolean;
  /** Not text: never written to a terminal. */
  readonly isBinary?: boolean;
  /** Options that only this format has. */
  readonly options?: readonly Option[];
  /** Loads what writes samples of `--interval`; only for formats that have samples. */
  readonly samples?: () => Promise<SampleWriter>;
  /** Makes the bytes of a result. (A method, so that a list can hold formats with different options.) */
  render(result: Result, options: Options, look: ResultLook): Rendered | Promise<Rendered>;
  /** Makes the bytes of a comparison; only for formats that `diff` offers. */
  readonly renderDiff?: (diff: GatedDiff, look: DiffLook) => Rendered | Promise<Rendered>;
}

export type Rendered = string | Uint8Array;

/** A profile, and the profilers that know its parts. */
export interface Result {
  readonly profile: Profile;
  readonly measurements: readonly Measurement[];
}

/** The text before the final result, piece by piece. */
export interface SampleWriter {
  readonly begin: (facts: Facts) => string;
  readonly sample: (sample: Sample) => string;
}

/** Two sides, and what `--fail-if` found. */
export interface GatedDiff {
  readonly sides: Sides;
  readonly gates: GateResult[];
  readonly measurements: readonly Measurement[];
}

/** How a result looks where it is written. */
export interface ResultLook extends DiffLook {
  readonly idle: IdleView;
}

export interface DiffLook extends Look {
  readonly verbose: boolean;
}
