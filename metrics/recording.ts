import { kernelKeys, type MapEntries, type MapEntry } from '../parsers/entries.ts';
import { isMangled, readLine, type StreamEvent, type StreamLine } from '../parsers/stream.ts';
import { type Folded, noneFolded } from './folded-threads.ts';

export type EventOf<T extends StreamEvent['type']> = Extract<StreamEvent, { type: T }>;

/** Events of processes and threads. Times are ns of the kernel's clock (CLOCK_BOOTTIME). */
export interface ThreadEvents {
  readonly execs: EventOf<'exec'>[];
  readonly forks: EventOf<'fork'>[];
  readonly exits: EventOf<'exit'>[];
  /** Threads that took the number of their process because they ran another program. */
  readonly renamed: EventOf<'renamed'>[];
  /** New threads, including the first ones of new processes. */
  readonly threads: EventOf<'thread'>[];
}

/** What one bpftrace has printed so far. */
export interface RecordedSession extends ThreadEvents {
  /** When BEGIN ran; undefined until the program is live. */
  begin: number | undefined;
  /** When the running threads were named. */
  start: number | undefined;
  /** When the command was stopped at its entry point. */
  entry: number | undefined;
  /** When the collection ended and the maps were printed; undefined if bpftrace ended before. */
  end: number | undefined;
  /** Whether the final maps have been printed; later lines do not belong to the collection. */
  complete: boolean;
  /** The held process became the command. */
  began: EventOf<'began'> | undefined;
  /** Whether a line held a name that is not ASCII. */
  mangled: boolean;
  /** Maps of an incomplete print at an interval. If bpftrace dies, they are dropped. */
  printing: Map<string, readonly MapEntry[]> | undefined;
  /** The last print of each map. */
  readonly maps: Map<string, readonly MapEntry[]>;
  /** The time of the last complete print at an interval. */
  tick: number | undefined;
  readonly quality: StreamQuality;
}

export interface StreamQuality {
  linesRead: number;
  linesIgnored: number;
  linesDropped: number;
  /** Events that the kernel dropped because its buffer was full. */
  lostEvents: number;
  /** Failures of the program in the kernel, one line each. */
  faults: number;
  /** Why the first few lines were dropped. */
  readonly reasons: string[];
  /** The first few different failures. */
  readonly faultMessages: Set<string>;
}

/** Maximum number of messages of each kind, so that memory stays bounded. */
const MESSAGES_KEPT = 5;

/** Records a stream line by line: one session, or two if a second bpftrace continues the collection. */
export interface Recorder {
  readonly sessions: RecordedSession[];
  /** Threads and processes that ended long ago. */
  readonly folded: Folded;
}

export function newRecorder(): Recorder {
  return { sessions: [newSession()], folded: noneFolded() };
}

export function currentSession({ sessions }: Recorder): RecordedSession {
  return sessions.at(-1) as RecordedSession;
}

function newSession(): RecordedSession {
  return {
    ...{ begin: undefined, start: undefined, entry: undefined, end: undefined, tick: undefined },
    ...{ complete: false, mangled: false, began: undefined, printing: undefined, maps: new Map() },
    ...{ execs: [], forks: [], exits: [], renamed: [], threads: [] },
    quality: {
      ...{ linesRead: 0, linesIgnored: 0, linesDropped: 0, lostEvents: 0, faults: 0 },
      ...{ reasons: [], faultMessages: new Set() },
    },
  };
}

/** Adds one line of the stream, and returns what it was. */
export function recordLine(recorder: Recorder, text: string): StreamLine {
  const line = readLine(text, currentSession(recorder).mangled);
  if (line.kind === 'event' && line.event.type === 'ready' && currentSession(recorder).begin !== undefined)
    recorder.sessions.push(newSession());
  const session = currentSession(recorder);
  session.mangled ||= isMangled(text);
  recordQuality(session.quality, line);
  if (line.kind === 'map' && !session.complete)
    (session.printing ?? session.maps).set(line.name, line.entries);
  if (line.kind === 'event') recordEvent(session, line.event);
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

function recordEvent(session: RecordedSession, event: StreamEvent): void {
  switch (event.type) {
    case 'ready':
      session.begin ??= event.at;
      return;
    case 'entry':
      session.entry = event.at;
      return;
    case 'start':
      session.start = event.at;
      return;
    case 'stop':
      session.end = event.at;
      completePrint(session);
      return;
    case 'exec':
      session.execs.push(event);
      return;
    case 'fork':
      session.forks.push(event);
      return;
    case 'exit':
      session.exits.push(event);
      return;
    case 'thread':
      session.threads.push(event);
      return;
    case 'renamed':
      session.renamed.push(event);
      return;
    case 'began':
      session.began = event;
      return;
    case 'tick':
      completePrint(session);
      session.printing = new Map();
      return;
    case 'tock':
      session.tick = event.at;
      completePrint(session);
      return;
    case 'end':
      session.complete = true;
      return;
    default:
      return;
  }
}

/** Completes a print when the next line shows that it has ended. */
function completePrint(session: RecordedSession): void {
  for (const [name, entries] of session.printing ?? []) session.maps.set(name, entries);
  session.printing = undefined;
}

/** A span in which the target was held. It does not count for any thread. */
export interface Pause {
  /** When the target was asked to stop. */
  readonly asked: number;
  /** When it stopped, and when it continued. */
  readonly from: number;
  readonly to: number;
}

/** What a thread had done when its session ended. */
export interface ThreadRun {
  readonly pid: number;
  readonly tid: number;
  /** How long it had been on a CPU. */
  readonly ranNs: number;
  /** When it was stopped. */
  readonly stoppedAt?: number | undefined;
}

/** Everything that a collection recorded, in one or two sessions. */
export interface Recording extends ThreadEvents {
  readonly begin: number | undefined;
  readonly start: number | undefined;
  readonly end: number | undefined;
  readonly tick: number | undefined;
  readonly began: EventOf<'began'> | undefined;
  readonly pause: Pause | undefined;
  readonly maps: MapEntries;
  /** Runs of threads that are in no exit event. */
  readonly earlierRuns: readonly ThreadRun[];
  /** Number of keys of each BPF map. `maps` may have more, because it merges two sessions. */
  readonly mapSizes: ReadonlyMap<string, number>;
  readonly folded: Folded;
  readonly quality: Readonly<StreamQuality>;
}

/** Tells which maps hold waits in progress, and how long threads had run at the end of a session. */
export interface SessionReader {
  readonly leftovers: ReadonlySet<string>;
  readonly runsOf: (maps: MapEntries) => readonly ThreadRun[];
}

/** Returns the recording so far; later lines do not change it. */
export function recordingOf({ sessions, folded }: Recorder, reader: SessionReader): Recording {
  const [first, ...others] = sessions.map((session) => alone(session, folded)) as [Recording, ...Recording[]];
  return others.reduce((merged, next) => mergeSessions(merged, next, reader), first);
}

function alone(session: RecordedSession, folded: Folded): Recording {
  const maps = new Map(session.maps);
  const { entry, execs, forks, exits, renamed, threads, ...others } = session;
  return {
    ...others,
    ...{
      execs: [...execs],
      forks: [...forks],
      exits: [...exits],
      renamed: [...renamed],
      threads: [...threads],
    },
    maps,
    pause: entry === undefined ? undefined : { asked: entry, from: entry, to: entry },
    earlierRuns: [],
    mapSizes: new Map([...maps].map(([name, entries]) => [name, kernelKeys(entries)])),
    folded,
  };
}

/**
 * Merges two sessions: the second continues the counts of the first, and the target was held between them. Waits in
 * progress at the end of the first session are dropped.
 */
function mergeSessions(first: Recording, second: Recording, reader: SessionReader): Recording {
  const quality = addQuality(first.quality, second.quality);
  // The second session was never used: the result is that of the first.
  if (second.start === undefined && second.maps.size === 0) return { ...first, quality };
  const runs = reader.runsOf(first.maps);
  const to = second.start ?? second.begin ?? 0;
  const asked = first.pause?.asked ?? to;
  const stoppedAt = runs.find((run) => run.stoppedAt !== undefined)?.stoppedAt ?? asked;
  return {
    ...second,
    begin: first.begin,
    began: first.began,
    tick: second.tick ?? first.tick,
    execs: [...first.execs, ...second.execs],
    forks: [...first.forks, ...second.forks],
    exits: [...first.exits, ...second.exits],
    renamed: [...first.renamed, ...second.renamed],
    threads: [...first.threads, ...second.threads],
    pause: { asked, from: Math.max(asked, stoppedAt), to },
    maps: addMaps(first.maps, second.maps, reader.leftovers),
    earlierRuns: [...first.earlierRuns, ...runs],
    quality,
  };
}

function addMaps(first: MapEntries, second: MapEntries, leftovers: ReadonlySet<string>): MapEntries {
  const maps = new Map(second);
  for (const [name, entries] of first)
    if (!leftovers.has(name)) maps.set(name, [...entries, ...(second.get(name) ?? [])]);
  return maps;
}

function addQuality(a: Readonly<StreamQuality>, b: Readonly<StreamQuality>): StreamQuality {
  return {
    linesRead: a.linesRead + b.linesRead,
    linesIgnored: a.linesIgnored + b.linesIgnored,
    linesDropped: a.linesDropped + b.linesDropped,
    lostEvents: a.lostEvents + b.lostEvents,
    faults: a.faults + b.faults,
    reasons: [...a.reasons, ...b.reasons].slice(0, MESSAGES_KEPT),
    faultMessages: new Set([...a.faultMessages, ...b.faultMessages].slice(0, MESSAGES_KEPT)),
  };
}
