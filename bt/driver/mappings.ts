import { readFile } from 'node:fs/promises';
import { executableRows } from '../../parsers/proc.ts';
import type { StreamEvent } from '../../parsers/stream.ts';

/** After an exec the loader maps libraries for some milliseconds; programs load more of them later. */
const READ_AFTER_MS = [0, 5, 50, 500];
/** Processes whose mappings are kept; the first to come are the first to be forgotten. */
const KEPT = 4096;

/**
 * The text of /proc/PID/maps of each followed process, by `PID:GENERATION`, read while it lives: afterwards
 * nothing else tells which file an address belonged to. A process that forks passes its mappings on.
 */
export interface MappingCache {
  readonly onEvent: (event: StreamEvent) => void;
  readonly read: (pid: number, generation: number) => Promise<void>;
  /** Reads all that live once more and stops the timers. */
  readonly close: () => Promise<void>;
  readonly texts: () => Record<string, string>;
  /** How many processes were forgotten. */
  readonly forgotten: () => number;
}

export function newMappingCache(): MappingCache {
  const texts = new Map<string, string>();
  const generations = new Map<number, number>();
  const timers = new Set<NodeJS.Timeout>();
  let forgotten = 0;

  const keep = (key: string, text: string) => {
    if (texts.size >= KEPT && !texts.has(key)) {
      texts.delete(texts.keys().next().value as string);
      forgotten++;
    }
    texts.set(key, text);
  };
  const read = async (pid: number, generation: number) => {
    const text = await readFile(`/proc/${pid}/maps`, 'utf8').catch(() => '');
    // An exec in between would file the new program's mappings under the old one.
    if (text !== '' && (generations.get(pid) ?? generation) === generation)
      keep(`${pid}:${generation}`, executableRows(text));
  };
  const schedule = (pid: number, generation: number) => {
    generations.set(pid, generation);
    for (const ms of READ_AFTER_MS) {
      const timer = setTimeout(() => {
        timers.delete(timer);
        void read(pid, generation);
      }, ms);
      timers.add(timer);
    }
  };

  return {
    read: (pid, generation) => {
      generations.set(pid, generation);
      return read(pid, generation);
    },
    onEvent: (event) => {
      if (event.type === 'exec') schedule(event.pid, event.generation);
      if (event.type === 'fork') {
        const inherited = texts.get(`${event.parent}:${event.generation}`);
        if (inherited) keep(`${event.pid}:${event.generation}`, inherited);
        schedule(event.pid, event.generation);
      }
      if (event.type === 'exit' && event.pid === event.tid) generations.delete(event.pid);
    },
    close: async () => {
      for (const timer of timers) clearTimeout(timer);
      await Promise.all([...generations].map(([pid, generation]) => read(pid, generation)));
    },
    texts: () => Object.fromEntries(texts),
    forgotten: () => forgotten,
  };
}
