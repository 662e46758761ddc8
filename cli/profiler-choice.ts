/** A profiler as the help describes it: all that a start needs to know. */
export interface ProfilerChoice {
  readonly name: string;
  readonly summary: string;
  /** Whether it runs when none are named. */
  readonly isDefault: boolean;
  readonly options: readonly OptionChoice[];
}

export interface OptionChoice {
  readonly name: string;
  readonly help: string;
  /** What stands for its value; none for a flag. */
  readonly value?: string | undefined;
  /** The global option of the same meaning. */
  readonly alias?: string | undefined;
}
