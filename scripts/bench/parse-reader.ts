/**
 * `node parse-reader.mjs RECORDING STREAM`: turns the stream on stdin into a Profile and prints how long that took. With
 * `machine` instead of a recording, it prints how long reading and JSON.parse take.
 */
import { readFileSync, statSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { readLines } from '../../bt/driver/lines.ts';
import { PROFILERS } from '../../bt/profilers/profiler-registry.ts';
import { decodeSpaces } from '../../metrics/mappings.ts';
import { measured, readProfile, readRecorder } from '../../metrics/profile.ts';
import { newRecorder, recordLine } from '../../metrics/recording.ts';
import type { KeptRun } from '../../metrics/replay.ts';

export interface Result {
  readonly mb: number;
  readonly seconds: number;
  readonly peakMb: number;
  readonly stacks: number;
}

export function readRecording(file: string): KeptRun {
  return JSON.parse(gunzipSync(readFileSync(file)).toString());
}

/** The lines arrive through a pipe, like those of bpftrace. */
async function measure(recordingFile: string, stream: string): Promise<Result> {
  const { facts, ending, symbols } = readRecording(recordingFile);
  const mappings = decodeSpaces({
    '4711:1': '7f0000000000-7f0010000000 r-xp 0 fe:00 1 /opt/large/program\n',
  });
  const began = performance.now();
  const recorder = newRecorder();
  await readLines(process.stdin, (line) => recordLine(recorder, line));
  const collected = readRecorder(recorder, facts, measured(facts, PROFILERS));
  const profile = readProfile(collected, { ...ending, mappings }).assemble(symbols);
  return {
    seconds: (performance.now() - began) / 1000,
    mb: statSync(stream).size / 1e6,
    peakMb: (process.resourceUsage().maxRSS * 1024) / 1e6,
    stacks: profile.ebpf.offcpu?.stacks.length ?? 0,
  };
}

/** The baseline: times how long it takes to read the same bytes into memory and JSON.parse them, without our code. */
function measureMachine(stream: string): number {
  const began = performance.now();
  for (const line of readFileSync(stream, 'utf8').split('\n')) if (line) JSON.parse(line);
  return (performance.now() - began) / 1000;
}

const [, script, recording, stream] = process.argv;
if (script?.endsWith('reader.mjs') && recording && stream) {
  const result =
    recording === 'machine' ? { seconds: measureMachine(stream) } : await measure(recording, stream);
  console.log(JSON.stringify(result));
}
