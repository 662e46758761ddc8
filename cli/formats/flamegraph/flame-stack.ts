import type { TimedStack } from '../../../metrics/timed-stacks.ts';

/** A stack; in a comparison also with its earlier time. */
export interface FlameStack extends TimedStack {
  /** Earlier time of the same stack, ns. If any stack has it, colours show what grew and what shrank. */
  readonly beforeNs?: number;
}
