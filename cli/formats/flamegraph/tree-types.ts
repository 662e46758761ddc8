/** Running sums of the events of one word, such as `wait`. */
export interface EventSums {
  readonly event: string;
  readonly ended: Float64Array;
  readonly open: Float64Array;
}

/** Running sums over the stacks in the order of the tree: entry i is the sum of the stacks before i. Times are in ns. */
export interface Sums {
  /** The value that widths show. */
  readonly width: Float64Array;
  readonly timeNs: Float64Array;
  readonly beforeNs: Float64Array;
  /** Events that ended, and those that had not, by the word for them. */
  readonly events: readonly EventSums[];
  readonly openNs: Float64Array;
  /** The width value of each kind. */
  readonly kinds: readonly Float64Array[];
}

/**
 * Frames in drawing order, callers before callees. Stacks have the same order, so those below a frame are `first` to `last`,
 * each sum is a difference of running sums, and widths add up.
 */
export interface Tree {
  readonly size: number;
  /** Index into the profile's frames. */
  readonly frame: Int32Array;
  readonly parent: Int32Array;
  readonly depth: Int32Array;
  /** The frame after the last one below it. */
  readonly end: Int32Array;
  readonly first: Int32Array;
  readonly last: Int32Array;
  readonly sums: Sums;
}
