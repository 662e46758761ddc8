import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { PROFILERS } from '../../bt/profilers/profiler-registry.ts';
import { capturedProfile } from '../../cli/capture-file.ts';
import {
  captureHead,
  captureLine,
  captureRecord,
  endingRecord,
  newCaptureReader,
} from '../../metrics/capture.ts';
import { decodeSpaces, mappingFinder } from '../../metrics/mappings.ts';
import { newRecorder, recordLine } from '../../metrics/recording.ts';
import type { KeptRun } from '../../metrics/replay.ts';
import { parseSourceLines } from '../../parsers/addr2line.ts';
import { fileOffsetToVaddr, readElf } from '../../parsers/elf.ts';
import { readFunctions } from '../../parsers/elf-symbols.ts';
import type { ElfFile } from '../../parsers/elf-types.ts';
import { readGoFunctions } from '../../parsers/gopclntab.ts';
import { parsePerfMap } from '../../parsers/perf-map.ts';
import { parseMaps } from '../../parsers/proc.ts';
import { memorySource } from '../unit/parsers/elf-files.ts';
import { FULL_FILES } from '../unit/parsers/elf-samples.ts';

/** A reader of what others control. It must neither throw nor take long, whatever it reads. */
export interface Target {
  /** Valid inputs, from which others are made. */
  readonly seeds: () => readonly Buffer[];
  readonly read: (input: Buffer) => void;
}

const RECORDINGS = 'fixtures/recordings';
/** Larger recordings make each attempt slow. */
const LARGEST_SEED = 64 * 1024;

function keptRuns(): KeptRun[] {
  return readdirSync(RECORDINGS).flatMap((version) =>
    readdirSync(join(RECORDINGS, version))
      .map((name) => readFileSync(join(RECORDINGS, version, name)))
      .filter((bytes) => bytes.length < 4096)
      .map((bytes) => JSON.parse(gunzipSync(bytes).toString())),
  );
}

const MAPS = `\
55ed5ddf1000-55ed5ddf2000 r-xp 00002000 fe:00 260875                     /usr/bin/sleep
7f4dddaed000-7f4dddb1b000 r-xp 00026000 fe:00 1234   /usr/lib/x86_64-linux-gnu/libc.so.6 (deleted)
7ffd7f5f5000-7ffd7f5f7000 r-xp 00000000 00:00 0                          [vdso]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
`;
const PERF_MAP = `\
7f0000001000 40 JS:*wait /srv/app.js:12:3
0x7f0000001040 1c0 LazyCompile:~run
7f0000001000 8 Stub
`;
const ADDRESSES = [0x1139, 0x1150, 0x2000];
const LINES = `\
0x0000000000001139
inner
/src/inlined.c:3
outer
/src/inlined.c:9 (discriminator 2)
0x0000000000001150
main
??:0
0x0000000000002000
??
??:0
`;

/** The targets of `npm run fuzz`, by name. */
export const TARGETS: Readonly<Record<string, Target>> = {
  stream: {
    seeds: () => keptRuns().map(({ lines }) => Buffer.from(lines.join('\n')).subarray(0, LARGEST_SEED)),
    read: (input) => {
      const recorder = newRecorder();
      for (const line of input.toString().split('\n')) recordLine(recorder, line);
    },
  },
  capture: {
    seeds: () => keptRuns().map(captureOf),
    read: readCaptureBytes,
  },
  maps: {
    seeds: () => [Buffer.from(MAPS), Buffer.from(MAPS.repeat(20))],
    read: (input) => {
      const mappings = parseMaps(input.toString());
      const find = mappingFinder(mappings);
      for (const { start, end } of mappings) for (const at of [start, end, start - 1n]) find(at);
    },
  },
  'perf-map': {
    seeds: () => [Buffer.from(PERF_MAP), Buffer.from(PERF_MAP.repeat(20))],
    read: (input) => {
      const map = parsePerfMap(input);
      for (const at of [0, 0x7f0000001000, 0x7f0000001040, 2 ** 53]) map.find(at);
    },
  },
  elf: { seeds: () => FULL_FILES, read: (input) => readObject(input, readFunctions) },
  pclntab: { seeds: () => FULL_FILES, read: (input) => readObject(input, readGoFunctions) },
  lines: {
    seeds: () => [Buffer.from(LINES)],
    read: (input) => {
      parseSourceLines(input.toString(), ADDRESSES);
    },
  },
};

function readObject(
  input: Buffer,
  read: (source: ReturnType<typeof memorySource>, elf: ElfFile) => ReturnType<typeof readFunctions>,
): void {
  const source = memorySource(input);
  const elf = readElf(source);
  if ('problem' in elf) return;
  const table = read(source, elf);
  for (const offset of [0, 64, 256, 0x1000]) {
    const vaddr = fileOffsetToVaddr(elf, offset);
    if (vaddr !== undefined) table.find(vaddr);
  }
  table.find(elf.entry);
}

function captureOf({ facts, ending, lines, symbols }: KeptRun): Buffer {
  const whole = { ...ending, mappings: decodeSpaces(ending.mappings) };
  return Buffer.from(
    [
      captureHead('0.0.0'),
      captureRecord('facts', facts),
      ...lines.map(captureLine),
      captureRecord('symbols', symbols),
      endingRecord(whole),
    ].join(''),
  );
}

function readCaptureBytes(input: Buffer): void {
  const reader = newCaptureReader(PROFILERS);
  for (const line of input.toString().split('\n')) if (line !== '' && reader.line(line) !== undefined) return;
  const capture = reader.capture();
  if (capture) capturedProfile(capture);
}
