import type { StreamLine } from '../parsers/stream.ts';

/**
 * Orders the lines of a capture as its reader needs them: what was learned for a sample comes directly after the print that the
 * sample was made of. Names are looked up while more lines come, so these wait. A print that a newer one replaced before its
 * sample was made is left out, so that memory stays bounded.
 */
export interface PrintQueue {
  readonly add: (text: string, line: StreamLine) => void;
  /**
   * A sample of the last complete print will be made.
   *
   * @param at the time at the end of the print
   * @returns writes everything until then, then what was learned, and goes on; undefined when the capture lacks that print
   */
  readonly take: (at: number | undefined) => ((writeLearned: () => void) => void) | undefined;
  /** Writes what waits, except prints without a sample. */
  readonly end: () => void;
  /** How many prints the capture had no space for. */
  readonly refused: () => number;
}

interface WaitingLine {
  readonly text: string;
  /** The print that the line belongs to. */
  readonly print?: Print | undefined;
}

interface Print {
  /** The time at its end. */
  at?: number;
  readonly refused: boolean;
}

/** @param hasSpace whether the capture may take another print */
export function newPrintQueue(write: (text: string) => void, hasSpace: () => boolean): PrintQueue {
  let waiting: WaitingLine[] = [];
  let refused = 0;
  /** The print that is being read, the complete one that waits, and the one whose sample is being made. */
  let [current, complete, taken]: (Print | undefined)[] = [];

  const put = (text: string, print?: Print) => {
    if (print?.refused) return;
    if (current ?? complete ?? taken) waiting.push({ text, print });
    else write(text);
  };
  const drop = (print: Print | undefined) => {
    if (print) waiting = waiting.filter((line) => line.print !== print);
  };
  const writeWaiting = (count: number) => {
    for (const { text } of waiting.splice(0, count)) write(text);
  };
  const goOn = () => {
    if (!(current ?? complete ?? taken)) writeWaiting(waiting.length);
  };
  const completeCurrent = (at: number) => {
    if (current?.refused) refused++;
    else if (current) {
      drop(complete);
      current.at = at;
      complete = current;
    }
    current = undefined;
    goOn();
  };
  return {
    add: (text, line) => {
      const event = line.kind === 'event' ? line.event : undefined;
      if (event?.type === 'tick') current = { refused: !hasSpace() };
      if (event?.type === 'stop') current = undefined;
      put(
        text,
        line.kind === 'map' || event?.type === 'tick' || event?.type === 'tock' ? current : undefined,
      );
      if (event?.type === 'tock') completeCurrent(event.at);
    },
    take: (at) => {
      if (!complete || complete.at !== at) return undefined;
      const print = complete;
      [complete, taken] = [undefined, print];
      return (writeLearned) => {
        writeWaiting(waiting.findLastIndex((line) => line.print === print) + 1);
        writeLearned();
        taken = undefined;
        goOn();
      };
    },
    end: () => {
      drop(complete);
      [current, complete, taken] = [undefined, undefined, undefined];
      goOn();
    },
    refused: () => refused,
  };
}
