/** A profiler as the help and `btprof profilers` describe it: all that a start needs to know. */
export interface ProfilerChoice {
  readonly name: string;
  readonly summary: string;
  /** Whether it runs when none are named. */
  readonly isDefault: boolean;
  /** Tracepoints and timers, as bpftrace spells them. */
  readonly attachesTo: readonly string[];
  /** Overhead per event, and how often events occur. */
  readonly cost: string;
  /** What the user should know about the limits of its figures. */
  readonly caveats: readonly string[];
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
