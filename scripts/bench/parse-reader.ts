/**
 * Reads one stream to a Profile and says what that took: `node parse-reader.mjs RECORDING STREAM`; with `machine` in place
 * of a recording, what the machine itself takes.
 */
import { readFileSync, statSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { execa } from 'execa';
import { readLines } from '../../bt/driver/lines.ts';
import { decodeSpaces } from '../../metrics/mappings.ts';
import { assembleProfile } from '../../metrics/profile.ts';
import type { KeptRun } from '../../metrics/replay.ts';
import { keptSymbols } from '../../metrics/symbols.ts';
import { newRecording, recordLine } from '../../parsers/recording.ts';

export interface Result {
  readonly mb: number;
  readonly seconds: number;
  readonly peakMb: number;
  readonly stacks: number;
}

export function readRecording(file: string): KeptRun {
  return JSON.parse(gunzipSync(readFileSync(file)).toString());
}

/** The lines come through a pipe, as bpftrace's do, from a process that may use the other cores. */
async function measure(recordingFile: string, stream: string): Promise<Result> {
  const { facts, ending, symbols } = readRecording(recordingFile);
  const mappings = decodeSpaces({
    '4711:1': '7f0000000000-7f0010000000 r-xp 0 fe:00 1 /opt/large/program\n',
  });
  const began = performance.now();
  const recording = newRecording();
  const { stdout } = execa('taskset', ['-c', '0-1023', 'cat', stream], { buffer: false });
  await readLines(stdout, (line) => recordLine(recording, line));
  const profile = assembleProfile(recording, facts, { ...ending, mappings }, keptSymbols(symbols));
  return {
    seconds: (performance.now() - began) / 1000,
    mb: statSync(stream).size / 1e6,
    peakMb: (process.resourceUsage().maxRSS * 1024) / 1e6,
    stacks: profile.ebpf.offcpu?.stacks.length ?? 0,
  };
}

/** What the machine takes for the same bytes without us: to read them into memory, and JSON.parse. */
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
