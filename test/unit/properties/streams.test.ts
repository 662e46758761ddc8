import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { test } from 'vitest';
import { readLines } from '../../../bt/driver/lines.ts';
import { PROFILERS } from '../../../bt/profilers/profiler-registry.ts';
import { decodeSpaces } from '../../../metrics/mappings.ts';
import { measured, readProfile, readRecorder } from '../../../metrics/profile.ts';
import { newRecorder, type Recorder, recordLine } from '../../../metrics/recording.ts';
import type { KeptRun } from '../../../metrics/replay.ts';
import { readLine } from '../../../parsers/stream.ts';
import { attempts } from '../../effort.ts';
import { validate } from '../published-schema.ts';

/** With lines of every type. The last one is ten times as long as the others, because its maps are complete. */
function recordingsOf(version: string) {
  return ['sleepers-no-stacks', 'compat', 'times', 'deadlock', 'full'].map((name) => {
    const file = `fixtures/recordings/${version}/${name}.json.gz`;
    const kept: KeptRun = JSON.parse(gunzipSync(readFileSync(file)).toString());
    const events = firstOfEachType(kept.lines);
    const lines = name === 'full' ? events : events.map(firstEntries);
    return { kept, bytes: Buffer.from(`${lines.join('\n')}\n`) };
  });
}

/** Number of events of each type and of entries of each map. More would take longer, without new effects of the mutations. */
const KEPT = 2;

/** Lines such as `{"type": "value", "data": ["fork",...`. */
function firstOfEachType(lines: readonly string[]): string[] {
  const counts = new Map<string, number>();
  return lines.filter((line) => {
    const type = /^\{"type": "value", "data": \["(\w+)"/.exec(line)?.[1];
    if (type === undefined) return true;
    counts.set(type, (counts.get(type) ?? 0) + 1);
    return (counts.get(type) as number) <= KEPT;
  });
}

/** Lines such as `{"type": "map", "data": {"@calls": {"29218,13": 1, "29218,218": 1, ...`; keys begin with a number. */
function firstEntries(line: string): string {
  const entries = line.split(/, (?="\d)/);
  return entries.length <= KEPT ? line : `${entries.slice(0, KEPT).join(', ')}}}}`;
}

/** Fragments that bpftrace, a full disk or the output of another program may insert into a stream. */
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

/** A position in millionths of the whole. All are equally likely, while plain numbers of fast-check are mostly small or large. */
const place = fc.noBias(fc.nat(1_000_000));

/** Replaces `removed` bytes at a position by a fragment. */
const edit = fc.record({
  at: place,
  removed: fc.oneof(fc.constantFrom(0, 1, 7), fc.nat(4000)),
  scrap: fc.oneof(
    fc.constantFrom(...SCRAPS),
    fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
  ),
});

/** Replaces one number by another. */
const renumber = fc.record({
  at: place,
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
  const start = Math.floor((change.at / 1e6) * bytes.length);
  if ('number' in change) {
    const rest = bytes.toString('latin1', start).replace(/\d+/, change.number);
    return Buffer.concat([bytes.subarray(0, start), Buffer.from(rest, 'latin1')]);
  }
  return Buffer.concat([bytes.subarray(0, start), change.scrap, bytes.subarray(start + change.removed)]);
}

/** Streams of three versions. */
const STREAMS = attempts(120, 33_334);

test.each(['0.17', '0.23', '0.27'])('mutated streams of bpftrace %s', { timeout: 600_000 }, (version) =>
  checkStreams(version, STREAMS),
);

/**
 * Passes streams with missing, repeated or replaced parts to the parsers, in chunks of any size. Each line is read, ignored or
 * dropped, and the rest is a valid profile. It does not use `expect`, which takes as long as the parsers.
 */
async function checkStreams(version: string, numRuns: number): Promise<void> {
  const pieces = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 4 });
  const property = fc.asyncProperty(
    mutated(recordingsOf(version)),
    pieces,
    async ({ kept, bytes }, sizes) => {
      const recorder = newRecorder();
      const lines: string[] = [];
      await readLines(Readable.from(inPieces(bytes, sizes)), (line) => {
        lines.push(line);
        recordLine(recorder, line);
      });
      const collected = readRecorder(recorder, kept.facts, measured(kept.facts, PROFILERS));
      const { linesRead, linesIgnored, linesDropped, reasons, faultMessages } = collected.recording.quality;
      assert.deepEqual(lines, linesIn(bytes));
      assert.equal(linesRead + linesIgnored + linesDropped, lines.length, 'each line is counted once');
      for (const name of mapsByJson(lines)) assert(hasMap(recorder, name), `${name} is lost`);
      assert(reasons.length <= 5 && faultMessages.size <= 5, 'a few reasons and faults are recorded');
      assert(
        reasons.every((r) => r.length < 900),
        'each reason is short',
      );
      const ending = { ...kept.ending, mappings: decodeSpaces(kept.ending.mappings) };
      const profile = readProfile(collected, ending).assemble(kept.symbols);
      assert(profile.quality.dropped_lines >= linesDropped, 'dropped lines are counted');
      // zod takes five times as long.
      assert(validate(profile), JSON.stringify(validate.errors));
    },
  );
  await withoutStackTraces(() => fc.assert(property, { numRuns }));
}

/** A second BEGIN begins a session with its own maps. */
function hasMap({ sessions }: Recorder, name: string): boolean {
  return sessions.some(({ maps, printing }) => maps.has(name) || printing?.has(name));
}

/** A line that is not JSON or not a known event throws internally; a stack trace would take as long as all the rest. */
async function withoutStackTraces(run: () => Promise<void>): Promise<void> {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    await run();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/** The lines of a stream that arrived in one chunk. */
function linesIn(bytes: Buffer): string[] {
  const lines = bytes.toString('utf8').split('\n');
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}

/** Names of the maps in complete JSON lines. Lines after the end do not count. */
function mapsByJson(lines: readonly string[]): string[] {
  const names: string[] = [];
  for (const line of lines) {
    if (line.includes('["end"') && readLine(line).kind === 'event') break;
    if (!/^\{"type": "(map|stats)", "data": \{"@\w+": \{.*\}\}\}$/.test(line) || !isSpacedAsPrinted(line))
      continue;
    const { type, data } = parsed(line);
    const keys = Object.keys(data ?? {});
    if ((type === 'map' || type === 'stats') && keys.length === 1) names.push(...keys);
  }
  return names;
}

/** JSON allows blanks anywhere; bpftrace prints them after colons and commas. */
function isSpacedAsPrinted(line: string): boolean {
  return !/[\t\r]|(?<![:, ]) /.test(line.replace(/"(?:[^"\\]|\\.)*"/g, '""'));
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
