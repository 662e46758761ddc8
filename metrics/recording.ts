import { type Entry, kernelKeys, type MapEntries } from '../parsers/entries.ts';
import { isMangled, readLine, type StreamEvent, type StreamLine } from '../parsers/stream.ts';
import { type Folded, noneFolded } from './folded.ts';

export type EventOf<T extends StreamEvent['type']> = Extract<StreamEvent, { type: T }>;

/** What the kernel printed of processes and threads. Times are ns of the kernel's clock (CLOCK_BOOTTIME). */
export interface ThreadEvents {
  readonly execs: EventOf<'exec'>[];
  readonly forks: EventOf<'fork'>[];
  readonly exits: EventOf<'exit'>[];
  /** Threads that took the number of their process because they ran another program. */
  readonly renamed: EventOf<'renamed'>[];
  /** New threads, the first ones of new processes among them. */
  readonly threads: EventOf<'thread'>[];
}

/** What one bpftrace has printed so far. */
export interface Session extends ThreadEvents {
  /** When BEGIN ran; undefined until the program is live. */
  begin: number | undefined;
  /** When the threads that ran already were named. */
  start: number | undefined;
  /** When the command was stopped at its entry point. */
  entry: number | undefined;
  /** When the collection ended and the maps were printed; undefined when bpftrace did not get that far. */
  end: number | undefined;
  /** Whether all maps of the end have been printed: what comes after does not belong to the collection. */
  complete: boolean;
  /** The held process became the command. */
  began: EventOf<'began'> | undefined;
  /** Whether a line held a name that is not ASCII. */
  mangled: boolean;
  /** Maps of a print at an interval that is not complete yet: should bpftrace die, they do not go with the others. */
  printing: Map<string, readonly Entry[]> | undefined;
  /** The last print of each map. */
  readonly maps: Map<string, readonly Entry[]>;
  /** The time of the last complete print at an interval. */
  tick: number | undefined;
  readonly quality: StreamQuality;
}

export interface StreamQuality {
  linesRead: number;
  linesIgnored: number;
  linesDropped: number;
  /** Events that the kernel had no buffer space to send. */
  lostEvents: number;
  /** Failures of the program in the kernel, one line each. */
  faults: number;
  /** Why the first few lines were dropped. */
  readonly reasons: string[];
  /** The first few different failures. */
  readonly faultMessages: Set<string>;
}

/** Messages of each kind that are kept: a flood of lines may come, and memory has to stay bounded. */
const MESSAGES_KEPT = 5;

/** Records a stream line by line: one session, or two when a second bpftrace goes on for the first. */
export interface Recorder {
  readonly sessions: Session[];
  /** Threads and processes that ended long ago. */
  readonly folded: Folded;
}

export function newRecorder(): Recorder {
  return { sessions: [newSession()], folded: noneFolded() };
}

export function currentSession({ sessions }: Recorder): Session {
  return sessions.at(-1) as Session;
}

function newSession(): Session {
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

function recordEvent(session: Session, event: StreamEvent): void {
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

/** What comes after a print shows that it is complete. */
function completePrint(session: Session): void {
  for (const [name, entries] of session.printing ?? []) session.maps.set(name, entries);
  session.printing = undefined;
}

/** A span in which the target was held, which belongs to nobody's time. */
export interface Pause {
  /** When the target was asked to stop. */
  readonly asked: number;
  /** When it stopped, and when it went on. */
  readonly from: number;
  readonly to: number;
}

/** What a thread had done when its session ended. */
export interface ThreadRun {
  readonly pid: number;
  readonly tid: number;
  /** How long it had been on a CPU. */
  readonly ranNs: number;
  /** Since when it was stopped. */
  readonly stoppedAt?: number | undefined;
}

/** All that a collection has recorded, whatever number of sessions it had. */
export interface Recording extends ThreadEvents {
  readonly begin: number | undefined;
  readonly start: number | undefined;
  readonly end: number | undefined;
  readonly tick: number | undefined;
  readonly began: EventOf<'began'> | undefined;
  readonly pause: Pause | undefined;
  readonly maps: MapEntries;
  /** Runs of threads that no exit event has. */
  readonly earlierRuns: readonly ThreadRun[];
  /** How many keys each kernel map has; `maps` may have the entries of two sessions. */
  readonly mapSizes: ReadonlyMap<string, number>;
  readonly folded: Folded;
  readonly quality: Readonly<StreamQuality>;
}

/** Knows which maps hold what is in progress, and what threads had done by the end of a session. */
export interface SessionReader {
  readonly leftovers: ReadonlySet<string>;
  readonly runsOf: (maps: MapEntries) => readonly ThreadRun[];
}

/** The recording as it stands now: later lines do not change it. */
export function recordingOf({ sessions, folded }: Recorder, reader: SessionReader): Recording {
  const [first, ...others] = sessions.map((session) => alone(session, folded)) as [Recording, ...Recording[]];
  return others.reduce((merged, next) => mergeSessions(merged, next, reader), first);
}

function alone(session: Session, folded: Folded): Recording {
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
 * One recording of two sessions: the second counts on from what the first one counted, and the target was held between
 * them. What was in progress at the end of the first is in progress no more.
 */
function mergeSessions(first: Recording, second: Recording, reader: SessionReader): Recording {
  const quality = addQuality(first.quality, second.quality);
  // It was opened and never used: the result is that of the first, with its end.
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
