import type { SidesOf } from './diff-part.ts';
import type { Profile } from './schema.ts';

/** A result and its file. */
export interface Side {
  /** As the user named it. */
  readonly file: string;
  readonly profile: Profile;
}

/** The results that are compared; at least one on each side. */
export type Sides = SidesOf<Side>;
