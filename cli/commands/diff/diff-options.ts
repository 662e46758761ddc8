import type { FormatOptions } from '../../format-options.ts';

/** The options of diff, as commander leaves them. */
export interface DiffOptions extends FormatOptions {
  readonly runs?: number;
  readonly output?: string;
  readonly failIf?: string[];
  readonly ascii?: boolean;
  readonly verbose?: boolean;
}
