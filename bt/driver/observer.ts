import type { StreamLine } from '../../parsers/stream.ts';

/** Who watches a collection. */
export interface Observer {
  /** Resolves when the user asks for the result now. */
  readonly stop: Promise<void>;
  /** Gets each line of bpftrace after it was parsed. */
  readonly onLine?: ((text: string, line: StreamLine) => void) | undefined;
  readonly debug: (text: string) => void;
}
