import type { Entry } from './entries.ts';
import { isMangled, readLine, type StreamEvent, type StreamLine } from './stream.ts';

type Event<T extends StreamEvent['type']> = Extract<StreamEvent, { type: T }>;

/** What a stream said so far. Times are ns of the kernel's clock (CLOCK_BOOTTIME). */
export interface Recording {
  /** When BEGIN ran; undefined until the program is live. */
  begin: number | undefined;
  /** When the threads that ran already were named; under `run` only when the command had been held at its entry. */
  start: number | undefined;
  /** When the command was held at its entry, until `start`. */
  entry: number | undefined;
  /** When the collection ended and the maps were printed; undefined when bpftrace did not get that far. */
  end: number | undefined;
  /** Whether all maps of the end have been printed: what comes after does not belong to the collection. */
  complete: boolean;
  readonly execs: Event<'exec'>[];
  readonly forks: Event<'fork'>[];
  readonly exits: Event<'exit'>[];
  /** Threads that took the number of their process, for they run another program. */
  readonly renamed: Event<'renamed'>[];
  /** New threads, the first ones of new processes among them. */
  readonly threads: Event<'thread'>[];
  /** The held process became the command. */
  began: Event<'began'> | undefined;
  /** Whether a line held a name that is no ASCII. */
  mangled: boolean;
  /** What each map held when a program took over from an earlier one. */
  readonly earlier: Map<string, readonly Entry[]>;
  /** What `@off` held then: waits that are over, and how long their threads had been on a CPU. */
  earlierThreads: readonly Entry[];
  /** Maps of a print at an interval that is not complete yet: should bpftrace die, they do not go with the others. */
  printing: Map<string, readonly Entry[]> | undefined;
  /** The last print of each map, after what it held earlier. */
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
  /** Failures of the program in the kernel, each a line. */
  faults: number;
  /** Why the first few lines were dropped. */
  readonly reasons: string[];
  /** The first few different failures. */
  readonly faultMessages: Set<string>;
}

/** Of each kind: a flood of lines may come, and memory has to stay bounded. */
const MESSAGES_KEPT = 5;

export function newRecording(): Recording {
  return {
    begin: undefined,
    start: undefined,
    entry: undefined,
    end: undefined,
    complete: false,
    mangled: false,
    execs: [],
    forks: [],
    exits: [],
    renamed: [],
    threads: [],
    began: undefined,
    earlier: new Map(),
    earlierThreads: [],
    printing: undefined,
    maps: new Map(),
    tick: undefined,
    quality: {
      linesRead: 0,
      linesIgnored: 0,
      linesDropped: 0,
      lostEvents: 0,
      faults: 0,
      reasons: [],
      faultMessages: new Set(),
    },
  };
}

/** Adds one line of the stream to the recording, and returns what it was. */
export function recordLine(recording: Recording, text: string): StreamLine {
  const line = readLine(text, recording.mangled);
  recording.mangled ||= isMangled(text);
  recordQuality(recording.quality, line);
  if (line.kind === 'map' && !recording.complete) {
    const earlier = recording.earlier.get(line.name);
    const maps = recording.printing ?? recording.maps;
    maps.set(line.name, earlier ? [...earlier, ...line.entries] : line.entries);
  }
  if (line.kind === 'event') recordEvent(recording, line.event);
  return line;
}

function recordQuality(quality: StreamQuality, line: StreamLine): void {
  switch (line.kind) {
    case 'ignored':
      quality.linesIgnored++;
      return;
    case 'dropped':
      quality.linesDropped++;
      if (quality.reasons.length < MESSAGES_KEPT) quality.reasons.push(line.reason);
      return;
    case 'lost':
      quality.lostEvents += line.count;
      break;
    case 'fault':
      quality.faults++;
      if (quality.faultMessages.size < MESSAGES_KEPT) quality.faultMessages.add(line.message);
      break;
  }
  quality.linesRead++;
}

function recordEvent(recording: Recording, event: StreamEvent): void {
  switch (event.type) {
    case 'ready':
      if (recording.entry !== undefined) goOn(recording);
      recording.begin ??= event.at;
      return;
    case 'entry':
      recording.entry = event.at;
      return;
    case 'start':
      recording.start = event.at;
      return;
    case 'stop':
      recording.end = event.at;
      completePrint(recording);
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
    case 'thread':
      recording.threads.push(event);
      return;
    case 'renamed':
      recording.renamed.push(event);
      return;
    case 'began':
      recording.began = event;
      return;
    case 'tick':
      completePrint(recording);
      recording.printing = new Map();
      return;
    case 'tock':
      recording.tick = event.at;
      completePrint(recording);
      return;
    case 'end':
      recording.complete = true;
      return;
    default:
      return;
  }
}

/** What comes after a print says that it is complete. */
function completePrint(recording: Recording): void {
  for (const [name, entries] of recording.printing ?? []) recording.maps.set(name, entries);
  recording.printing = undefined;
}

/** The waits and the calls in progress; all other maps hold sums. */
const IN_PROGRESS = ['@off', '@call'];

/** A second program takes over, while the command is held: it counts on from what the first one counted. */
function goOn(recording: Recording): void {
  recording.earlierThreads = recording.maps.get('@off') ?? [];
  for (const map of IN_PROGRESS) recording.maps.delete(map);
  for (const [name, entries] of recording.maps) recording.earlier.set(name, entries);
  recording.end = undefined;
  recording.complete = false;
}
