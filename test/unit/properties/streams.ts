import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect } from 'vitest';
import { readLines } from '../../../bt/driver/lines.ts';
import { assembleProfile } from '../../../metrics/profile.ts';
import type { KeptRun } from '../../../metrics/replay.ts';
import { profileSchema } from '../../../metrics/schema.ts';
import { keptSymbols } from '../../../metrics/symbols.ts';
import { newRecording, recordLine } from '../../../parsers/recording.ts';
import { readLine } from '../../../parsers/stream.ts';

/** With every type of line. The last one is ten times as long as the others. */
function recordingsOf(version: string) {
  return ['sleepers-no-stacks', 'compat', 'times', 'deadlock', 'full'].map((name) => {
    const file = `fixtures/recordings/${version}/${name}.json.gz`;
    const kept: KeptRun = JSON.parse(gunzipSync(readFileSync(file)).toString());
    return {
      kept,
      bytes: Buffer.from(`${kept.lines.join('\n')}\n`),
      symbols: keptSymbols(kept.symbols),
    };
  });
}

/** What bpftrace, a full disk or another program's output may put into a stream. */
const SCRAPS = [
  ...[
    '\n',
    '\n\n',
    '"',
    '\\',
    '\\"',
    '{',
    '}}}',
    '[',
    ',',
    '0x',
    '1f',
    '-1',
    '1e400',
    '""',
    '\0',
    '\xff\xfe',
  ],
  ...['18446744073709551615', '"18446744073709551615"', '\\uffffffc3', '\u2028', 'true', 'null', '{"type"'],
  'stdin:1:2-3: WARNING: Return value discarded.\n',
  '{"type": "helper_error", "msg": "Argument list too long", "helper": "map_update_elem", "retcode": -7}\n',
  '{"type": "lost_events", "count": 3, "data": {"events": 3}}\n',
].map((text) => Buffer.from(text, 'latin1'));

/** Replaces `removed` bytes at a place, given as a share of the whole, by a scrap. */
const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  removed: fc.oneof(fc.constantFrom(0, 1, 7), fc.nat(4000)),
  scrap: fc.oneof(
    fc.constantFrom(...SCRAPS),
    fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
  ),
});

/** Puts another number in the place of one. */
const renumber = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  number: fc.oneof(
    fc.constantFrom('0', '-1', '1.5', '1e400', 'ff', '9007199254740993', '18446744073709551615', '"7"'),
    fc.bigInt({ min: 0n, max: 10n ** 25n }).map(String),
  ),
});

function mutated(recordings: ReturnType<typeof recordingsOf>) {
  return fc
    .record({
      recording: fc.oneof(
        { weight: 19, arbitrary: fc.constantFrom(...recordings.slice(0, -1)) },
        { weight: 1, arbitrary: fc.constantFrom(...recordings.slice(-1)) },
      ),
      edits: fc.array(fc.oneof(edit, renumber), { maxLength: 5 }),
    })
    .map(({ recording, edits }) => ({ ...recording, bytes: edits.reduce(applyEdit, recording.bytes) }));
}

type Edit = { at: number; removed: number; scrap: Buffer } | { at: number; number: string };

function applyEdit(bytes: Buffer, change: Edit): Buffer {
  const start = Math.floor(change.at * bytes.length);
  if ('number' in change) {
    const rest = bytes.toString('latin1', start).replace(/\d+/, change.number);
    return Buffer.concat([bytes.subarray(0, start), Buffer.from(rest, 'latin1')]);
  }
  return Buffer.concat([bytes.subarray(0, start), change.scrap, bytes.subarray(start + change.removed)]);
}

/**
 * Feeds the parsers streams with parts missing, doubled or replaced, in pieces of any size: each line is read, ignored or
 * dropped, and what is left is a valid profile.
 */
export async function checkStreams(version: string, numRuns: number): Promise<void> {
  const pieces = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 4 });
  const property = fc.asyncProperty(
    mutated(recordingsOf(version)),
    pieces,
    async ({ kept, bytes, symbols }, sizes) => {
      const recording = newRecording();
      const lines: string[] = [];
      await readLines(Readable.from(inPieces(bytes, sizes)), (line) => {
        lines.push(line);
        recordLine(recording, line);
      });
      const { linesRead, linesIgnored, linesDropped, reasons, faultMessages } = recording.quality;
      expect(lines).toEqual(linesIn(bytes));
      expect(linesRead + linesIgnored + linesDropped).toBe(lines.length);
      const known = [...recording.maps.keys(), ...(recording.printing?.keys() ?? [])];
      expect(known).toEqual(expect.arrayContaining(mapsByJson(lines)));
      expect(reasons.length <= 5 && faultMessages.size <= 5 && reasons.every((r) => r.length < 900)).toBe(
        true,
      );
      const profile = assembleProfile(recording, kept.facts, kept.ending, symbols);
      expect(profile.quality.dropped_lines).toBeGreaterThanOrEqual(linesDropped);
      expect(profileSchema.safeParse(profile).error?.issues).toBeUndefined();
    },
  );
  await fc.assert(property, { numRuns });
}

/** The lines of a stream that came in one piece. */
function linesIn(bytes: Buffer): string[] {
  const lines = bytes.toString('utf8').split('\n');
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}

/** Names of the maps in lines that are whole JSON: what comes after the end does not count. */
function mapsByJson(lines: readonly string[]): string[] {
  const names: string[] = [];
  for (const line of lines) {
    if (readLine(line).kind === 'event' && line.includes('["end"')) break;
    const { type, data } = parsed(line);
    const plain = /^\{"type": "(map|stats)", "data": \{"@\w+": \{.*\}\}\}$/.test(line);
    if (plain && (type === 'map' || type === 'stats')) names.push(...Object.keys(data ?? {}).slice(0, 1));
  }
  return names;
}

function parsed(line: string): { type?: unknown; data?: unknown } {
  try {
    return JSON.parse(line) ?? {};
  } catch {
    return {};
  }
}

function* inPieces(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] as number;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}
