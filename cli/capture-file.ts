import { createReadStream } from 'node:fs';
import { constants, createGunzip, gzipSync } from 'node:zlib';
import type { Snapshot } from '../bt/driver/line-reader.ts';
import { readLines } from '../bt/driver/lines.ts';
import { PROFILERS } from '../bt/profilers/profiler-registry.ts';
import {
  type Capture,
  type CapturedTick,
  captureHead,
  captureLine,
  captureRecord,
  endingRecord,
  newCaptureReader,
} from '../metrics/capture.ts';
import { BtprofError } from '../metrics/errors.ts';
import type { Ending, Facts } from '../metrics/facts.ts';
import { type AddressSpaces, encodeSpace, encodeSpaces } from '../metrics/mappings.ts';
import type { IdleMatch } from '../metrics/measurement.ts';
import { readProfile } from '../metrics/profile.ts';
import type { Profile } from '../metrics/schema.ts';
import { addToTable, noSymbols, type ResolvedSymbols } from '../metrics/symbols.ts';
import type { StreamLine } from '../parsers/stream.ts';
import type { Sink } from './output.ts';
import { newPrintQueue } from './print-queue.ts';
import { openResult } from './result-output.ts';
import { VERSION } from './version.ts';

/** Above this size a capture takes no more samples. Everything else in it is bounded by the kernel's maps. */
export const MAX_BYTES = 256 * 2 ** 20;
/** Characters per gzip member. Each member can be read by itself. */
const BLOCK = 2 ** 20;
/** What a kill can lose: the lines of this long. */
const FLUSH_MS = 1000;
/** Level of gzip: higher ones take twice as long to save a tenth. */
const LEVEL = 4;

/** A capture that is written during the run. */
export interface CaptureFile {
  /** Takes each line of bpftrace, with what it is. */
  readonly onLine: (text: string, line: StreamLine) => void;
  readonly begin: (facts: Facts, idle: readonly IdleMatch[]) => void;
  /** A sample of that window will be made; takes its names then. A print without a sample is left out. */
  readonly sample: (window: Snapshot) => (symbols: ResolvedSymbols) => void;
  /** Warnings for the result. */
  readonly warnings: () => readonly string[];
  /** Completes the file and returns its size in bytes. */
  readonly end: (facts: Facts, ending: Ending, symbols: ResolvedSymbols) => number;
  /** Why writing failed; undefined if it succeeded. */
  readonly failure: () => BtprofError | undefined;
}

/**
 * Opens the file of `--capture`, before anything is started. Only its owner can read it, because arguments may hold secrets.
 *
 * @throws BtprofError when it cannot be written
 */
export function openCapture(path: string, most = MAX_BYTES): CaptureFile {
  const file = packed(openResult(path, { grows: true, keepsMode: false }));
  const { write, flush } = file;
  const timer = setInterval(flush, FLUSH_MS);
  timer.unref();
  const queue = newPrintQueue(
    (text) => write(captureLine(text)),
    () => file.bytes() <= most,
  );
  const written = noSymbols();
  let spaces: AddressSpaces = new Map();
  const writeSymbols = (symbols: ResolvedSymbols) => {
    write(captureRecord('symbols', newAnswers(written, symbols)));
    addToTable(written, symbols);
  };
  const writeLearned = (now: AddressSpaces, symbols: ResolvedSymbols) => {
    const fresh = changedSpaces(spaces, now);
    spaces = now;
    if (fresh.size > 0) write(captureRecord('mappings', encodeSpaces(fresh)));
    writeSymbols(symbols);
  };
  write(captureHead(VERSION));
  return {
    onLine: queue.add,
    begin: (facts, idle) => {
      file.begin();
      write(captureRecord('facts', facts));
      if (idle.length > 0) write(captureRecord('idle', idle.map(plainRule)));
    },
    sample: (window) => {
      const writeAfterPrint = queue.take(window.recording.tick);
      return (symbols) => writeAfterPrint?.(() => writeLearned(window.spaces, symbols));
    },
    warnings: () => {
      const left = queue.refused();
      return left > 0 ? [`the capture reached ${most / 2 ** 20} MiB: ${left} samples are not in it`] : [];
    },
    end: (facts, ending, symbols) => {
      clearInterval(timer);
      queue.end();
      write(captureRecord('facts', facts));
      writeSymbols(symbols);
      write(endingRecord(ending));
      file.close();
      return file.bytes();
    },
    failure: file.failure,
  };
}

/** Address spaces that are new, or not the same as before. */
function changedSpaces(before: AddressSpaces, now: AddressSpaces): AddressSpaces {
  return new Map(
    [...now].filter(([key, space]) => {
      const known = before.get(key);
      return space !== known && (!known || encodeSpace(space) !== encodeSpace(known));
    }),
  );
}

/** The answers that a table does not have. */
function newAnswers(written: ResolvedSymbols, { problems, ...tables }: ResolvedSymbols): ResolvedSymbols {
  const fresh = Object.entries(tables).map(([name, table]) => {
    const known: Readonly<Record<string, unknown>> = written[name as keyof typeof tables] ?? {};
    const isNew = ([key, answer]: [string, unknown]) => !isSame(known[key], answer);
    return [name, table && Object.fromEntries(Object.entries(table).filter(isNew))];
  });
  return { ...noSymbols(), ...Object.fromEntries(fresh), problems };
}

/** Answers are small: places, names and lines. */
function isSame(a: unknown, b: unknown): boolean {
  return a === b || (a !== undefined && JSON.stringify(a) === JSON.stringify(b));
}

function plainRule({ pattern, idle }: IdleMatch) {
  return { pattern: pattern.source, idle };
}

/**
 * A file of gzip members (RFC 1952), one for each block: complete members can be read even if the last one is cut. Nothing is
 * written before `begin`, so that a collection that never begins leaves an older file whole.
 */
function packed(sink: Sink) {
  let held: string[] = [];
  let [size, bytes, begun] = [0, 0, false];
  let failure: BtprofError | undefined;
  const flush = () => {
    if (size === 0 || failure || !begun) return;
    const block = gzipSync(held.join(''), { level: LEVEL });
    [held, size, bytes] = [[], 0, bytes + block.length];
    try {
      sink.write(block);
    } catch (error) {
      failure = error as BtprofError;
    }
  };
  const write = (text: string) => {
    if (failure) return;
    held.push(text);
    size += text.length;
    if (size >= BLOCK) flush();
  };
  const close = () => {
    flush();
    sink.close();
  };
  const begin = () => {
    begun = true;
  };
  return { begin, write, flush, close, bytes: () => bytes, failure: () => failure };
}

/** The profile of a capture, judged by the idle functions of its run unless others are given. */
export function capturedProfile(capture: Capture, idleMatch?: readonly IdleMatch[]): Profile {
  const { ending, symbols, idle } = capture;
  return readProfile({ ...capture, idle: idleMatch ?? idle }, ending).assemble(symbols);
}

/**
 * Reads a capture. A truncated one is read as far as it goes.
 *
 * @param path - for standard input
 * @throws BtprofError when it is not a capture, or cannot be read
 */
export async function readCapture(path: string, onTick?: (tick: CapturedTick) => void): Promise<Capture> {
  const reader = newCaptureReader(PROFILERS, onTick);
  const problem = await readPacked(path, reader.line);
  const name = JSON.stringify(path);
  if (problem) throw new BtprofError(`${name} cannot be read: ${problem}.`, HINT);
  const capture = reader.capture();
  if (capture) return capture;
  throw new BtprofError(`${name} ends before the collection began: it has no data.`, HINT);
}

const HINT = "Give a file that 'btprof run --capture FILE' wrote.";

/**
 * Reads the lines of a file of gzip members. A line that cannot be read is a problem, unless it is the last one: then the
 * file is truncated.
 *
 * @param onLine returns why it cannot be read
 * @returns the problem that ended the reading
 */
async function readPacked(
  path: string,
  onLine: (line: string) => string | undefined,
): Promise<string | undefined> {
  const file = path === '-' ? createReadStream('', { fd: 0 }) : createReadStream(path);
  const unpacked = createGunzip({ finishFlush: constants.Z_SYNC_FLUSH });
  let [problem, isFirst]: [string | undefined, boolean] = [undefined, true];
  try {
    return await new Promise((done, fail) => {
      for (const stream of [file, unpacked]) stream.on('error', fail);
      const readLine = (line: string) => {
        if (problem) return done(problem);
        problem = line === '' ? undefined : onLine(line);
        if (problem && isFirst) done(problem);
        isFirst = false;
      };
      const read = readLines(file.pipe(unpacked), (line) => {
        try {
          readLine(line);
        } catch (error) {
          fail(error);
        }
      });
      read.then(() => done(undefined), fail);
    });
  } catch (error) {
    if (error instanceof BtprofError) throw error;
    return readFailure(error as NodeJS.ErrnoException);
  } finally {
    file.destroy();
    unpacked.destroy();
  }
}

/** Puts error codes of zlib and of the system into words. */
function readFailure({ code, message }: NodeJS.ErrnoException): string {
  const words: Record<string, string> = {
    Z_DATA_ERROR: `it is not a gzip file, or it is damaged (${message})`,
    ENOENT: 'it does not exist',
    EACCES: 'permission denied',
    EISDIR: 'it is a directory',
  };
  return words[code ?? ''] ?? code ?? message;
}
