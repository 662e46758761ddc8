import type { Facts } from '../../metrics/facts.ts';
import { foldFinished } from '../../metrics/folding.ts';
import type { AddressSpaces } from '../../metrics/mappings.ts';
import { type Collected, readRecorder } from '../../metrics/profile.ts';
import { currentSession, recordLine } from '../../metrics/recording.ts';
import type { StreamLine } from '../../parsers/stream.ts';
import type { Plan } from '../compose.ts';
import { newNewest } from './newest.ts';
import type { Observer } from './observer.ts';
import type { ProcessState } from './process-state.ts';

/** What had been collected when all maps were printed at the end of an interval. */
export interface Snapshot extends Collected {
  readonly spaces: AddressSpaces;
}

/** Reads the lines of all sessions of a collection. */
export interface LineReader {
  readonly read: (text: string) => StreamLine;
  /** The collection has begun: each complete print from now on is a snapshot. */
  readonly begin: (facts: Facts) => void;
  readonly end: () => void;
  /** Yields the newest snapshot whenever the consumer is ready. */
  readonly windows: AsyncIterable<Snapshot>;
}

export function newLineReader(
  { profilers }: Plan,
  { recorder, mappings }: ProcessState,
  { onLine, debug }: Pick<Observer, 'onLine' | 'debug'>,
): LineReader {
  const windows = newNewest<Snapshot>();
  const measurements = profilers.map(({ profiler }) => profiler);
  let facts: Facts | undefined;
  return {
    read: (text) => {
      const line = recordLine(recorder, text);
      onLine?.(text, line);
      if (line.kind === 'dropped') debug(`dropped: ${line.reason}`);
      if (line.kind === 'ignored' && line.remark) debug(`bpftrace: ${line.remark}`);
      if (line.kind !== 'event') return line;
      mappings.onEvent(line.event);
      if (facts && line.event.type === 'tock' && currentSession(recorder).end === undefined)
        windows.put({ ...readRecorder(recorder, facts, measurements), spaces: mappings.spaces() });
      if (facts) foldFinished(recorder, facts);
      return line;
    },
    begin: (began) => {
      facts = began;
    },
    end: windows.end,
    windows: windows.values,
  };
}
