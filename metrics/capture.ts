import { ZodError } from 'zod';
import type { Mapping } from '../parsers/proc.ts';
import {
  endingSchema,
  factsSchemaOf,
  headSchema,
  idleSchema,
  mappingsSchema,
  symbolsSchema,
} from './capture-schema.ts';
import type { Ending, Facts, StoredEnding } from './facts.ts';
import { foldFinished } from './folding.ts';
import { type AddressSpaces, encodeSpaces, type MappingTexts } from './mappings.ts';
import type { IdleMatch, Measurement } from './measurement.ts';
import { type Collected, measured, readRecorder } from './profile.ts';
import { currentSession, newRecorder, type Recording, recordLine } from './recording.ts';
import { addToTable, noSymbols, type ResolvedSymbols } from './symbols.ts';

/** Version of the format. It changes when readers of this version cannot read the format. */
const CAPTURE_VERSION = 1;

/** Prefix of a line of bpftrace. All other lines are the name of a record and its JSON. */
const RAW = '>';

/** The records of a capture. A repeated record replaces the earlier one, or adds to it. */
interface Records {
  readonly facts: Facts;
  /** Mappings that are new since the last record. */
  readonly mappings: MappingTexts;
  /** Symbols that are new since the last record. */
  readonly symbols: ResolvedSymbols;
  readonly idle: readonly { readonly pattern: string; readonly idle: boolean }[];
  /** The last record: the capture is complete. */
  readonly ending: StoredEnding;
}

export function captureHead(btprof: string): string {
  return `${JSON.stringify({ kind: 'capture', version: CAPTURE_VERSION, btprof })}\n`;
}

/** @param line as bpftrace wrote it */
export function captureLine(line: string): string {
  return `${RAW}${line}\n`;
}

export function captureRecord<K extends keyof Records>(name: K, value: Records[K]): string {
  return `${name} ${JSON.stringify(value)}\n`;
}

/** The last record of a capture. */
export function endingRecord(ending: Ending): string {
  return captureRecord('ending', storedEnding(ending));
}

/** How captures and recordings store an ending: as `endingSchema` reads it. */
export function storedEnding(ending: Ending): StoredEnding {
  return { ...ending, mappings: encodeSpaces(ending.mappings) };
}

/** A captured run: everything from which a profile is assembled. */
export interface Capture extends Required<Collected> {
  readonly ending: Ending;
  readonly symbols: ResolvedSymbols;
}

/** What a capture holds at the end of an interval. */
export interface CapturedTick extends Required<Collected> {
  readonly spaces: AddressSpaces;
  readonly symbols: ResolvedSymbols;
}

export interface CaptureReader {
  /** Reads one line. Returns a problem if the line makes the capture unusable. */
  readonly line: (text: string) => string | undefined;
  /** The result; undefined if the collection had not begun. */
  readonly capture: () => Capture | undefined;
}

/**
 * Reads the lines of a capture.
 *
 * @param registered the profilers that it may be of
 * @param onTick called with each complete print at an interval
 */
export function newCaptureReader(
  registered: readonly Measurement[],
  onTick: (tick: CapturedTick) => void = () => undefined,
): CaptureReader {
  const recorder = newRecorder();
  const factsSchema = factsSchemaOf(registered.map(({ name }) => name));
  const symbols = noSymbols();
  const mappings = new Map<string, readonly Mapping[]>();
  let [headRead, ticked] = [false, false];
  let idle: readonly IdleMatch[] = [];
  let facts: Facts | undefined;
  let ending: Ending | undefined;
  const readers: { readonly [K in keyof Records]: (json: unknown) => void } = {
    facts: (json) => {
      facts = factsSchema.parse(json);
    },
    mappings: (json) => {
      for (const [key, space] of mappingsSchema.parse(json)) mappings.set(key, space);
    },
    symbols: (json) => addToTable(symbols, symbolsSchema.parse(json)),
    idle: (json) => {
      idle = idleSchema.parse(json).map((rule) => ({ ...rule, pattern: new RegExp(rule.pattern) }));
    },
    ending: (json) => {
      ending = endingSchema.parse(json);
    },
  };
  const collected = (of: Facts): Required<Collected> => {
    return { ...readRecorder(recorder, of, measured(of, registered)), idle };
  };
  // The records that belong to a print come after it.
  const reportTick = () => {
    if (ticked && facts) onTick({ ...collected(facts), spaces: mappings, symbols });
    ticked = false;
  };
  const readRaw = (text: string) => {
    reportTick();
    const line = recordLine(recorder, text);
    if (facts) foldFinished(recorder, facts);
    ticked =
      line.kind === 'event' && line.event.type === 'tock' && currentSession(recorder).end === undefined;
  };
  const readRecord = (text: string): string | undefined => {
    const [name = ''] = /^[a-z]+(?= )/.exec(text) ?? [];
    if (!Object.hasOwn(readers, name)) return `it has a line of no known kind, ${excerpt(text)}`;
    try {
      readers[name as keyof Records](JSON.parse(text.slice(name.length)));
      return undefined;
    } catch (error) {
      return `its record '${name}' cannot be read: ${reasonOf(error)}`;
    }
  };
  return {
    line: (text) => {
      if (!headRead) {
        headRead = true;
        return headProblem(text);
      }
      if (!text.startsWith(RAW)) return readRecord(text);
      readRaw(text.slice(RAW.length));
      return undefined;
    },
    capture: () => {
      reportTick();
      if (!facts) return undefined;
      const of = collected(facts);
      return { ...of, ending: ending ?? brokenOff(of.recording, mappings), symbols };
    },
  };
}

function headProblem(text: string): string | undefined {
  const head = headSchema.safeParse(tryParse(text));
  if (!head.success) return `it begins with ${excerpt(text)}, which is not a capture of btprof`;
  const { version, btprof } = head.data;
  if (version <= CAPTURE_VERSION) return undefined;
  return `it is of version ${version} of the format, written by btprof ${excerpt(btprof)}, and this one reads version ${CAPTURE_VERSION} only`;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof ZodError)) return excerpt((error as Error).message);
  const [issue] = error.issues;
  return `${excerpt(issue?.path.join('.') ?? '')}: ${issue?.message}`;
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The beginning of a text, without control characters. */
function excerpt(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

/** Makes the ending of a capture that breaks off. */
function brokenOff(recording: Recording, mappings: AddressSpaces): Ending {
  const { begin = 0, execs, forks, exits, tick = 0 } = recording;
  const last = Math.max(begin, tick, ...[execs, forks, exits].map((events) => events.at(-1)?.at ?? 0));
  return {
    elapsedNs: last - begin,
    exit: null,
    incomplete: true,
    alive: [],
    mappings,
    perfMaps: [],
    skippedRuns: 0,
    programTime: null,
    warnings: [
      recording.tick === undefined
        ? 'the capture breaks off before the first print: it has neither waits nor calls. With --interval it has those until the last print'
        : 'the capture breaks off: the figures are those of its last print',
    ],
  };
}
