import type { Entry } from './entries.ts';
import { readLine, type StreamEvent, type StreamLine } from './stream.ts';

type Event<T extends StreamEvent['type']> = Extract<StreamEvent, { type: T }>;

/** What a stream said so far. Times are ns of the kernel's clock (CLOCK_BOOTTIME). */
export interface Recording {
  /** When BEGIN ran; undefined until the program is live. */
  begin: number | undefined;
  /** When the threads that ran already were named; undefined under `run`. */
  start: number | undefined;
  /** When the collection ended and the maps were printed; undefined when bpftrace did not get that far. */
  end: number | undefined;
  /** Whether all maps of the end have been printed: what comes after does not belong to the collection. */
  complete: boolean;
  readonly execs: Event<'exec'>[];
  readonly forks: Event<'fork'>[];
  readonly exits: Event<'exit'>[];
  /** The last print of each map. */
  readonly maps: Map<string, readonly Entry[]>;
  /** The time of the last complete print at an interval. */
  tick: number | undefined;
  readonly quality: StreamQuality;
}

interface StreamQuality {
  linesRead: number;
  linesIgnored: number;
  linesDropped: number;
  /** Events that the kernel had no room to send. */
  lostEvents: number;
  /** Why the first few lines were dropped. */
  readonly reasons: string[];
}

const REASONS_KEPT = 5;

export function newRecording(): Recording {
  return {
    begin: undefined,
    start: undefined,
    end: undefined,
    complete: false,
    execs: [],
    forks: [],
    exits: [],
    maps: new Map(),
    tick: undefined,
    quality: { linesRead: 0, linesIgnored: 0, linesDropped: 0, lostEvents: 0, reasons: [] },
  };
}

/** Adds one line of the stream to the recording, and returns what it was. */
export function recordLine(recording: Recording, text: string): StreamLine {
  const line = readLine(text);
  const { quality } = recording;
  if (line.kind === 'ignored') quality.linesIgnored++;
  else if (line.kind === 'dropped') {
    quality.linesDropped++;
    if (quality.reasons.length < REASONS_KEPT) quality.reasons.push(line.reason);
  } else quality.linesRead++;
  if (line.kind === 'lost') quality.lostEvents += line.count;
  if (line.kind === 'map' && !recording.complete) recording.maps.set(line.name, line.entries);
  if (line.kind === 'event') recordEvent(recording, line.event);
  return line;
}

function recordEvent(recording: Recording, event: StreamEvent): void {
  switch (event.type) {
    case 'ready':
      recording.begin = event.at;
      return;
    case 'start':
      recording.start = event.at;
      return;
    case 'stop':
      recording.end = event.at;
      return;
    case 'exec':
      recording.execs.push(event);
      return;
    case 'fork':
      recording.forks.push(event);
      return;
    case 'exit':
      recording.exits.push(event);
      return;
    case 'tock':
      recording.tick = event.at;
      return;
    case 'end':
      recording.complete = true;
      return;
    case 'tick':
      return;
  }
}
