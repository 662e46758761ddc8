/** Reads one stream to a Profile and says what that took: `node parse-reader.mjs RECORDING STREAM`. */
import { readFileSync, statSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { execa } from 'execa';
import { readLines } from '../../bt/driver/lines.ts';
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

/** The lines come through a pipe, as bpftrace's do. */
async function measure(recordingFile: string, stream: string): Promise<Result> {
  const { facts, ending, symbols } = readRecording(recordingFile);
  const mappings = { '4711:1': '7f0000000000-7f0010000000 r-xp 00000000 fe:00 1   /opt/large/program\n' };
  const began = performance.now();
  const recording = newRecording();
  const { stdout } = execa('cat', [stream], { buffer: false });
  await readLines(stdout, (line) => recordLine(recording, line));
  const profile = assembleProfile(recording, facts, { ...ending, mappings }, keptSymbols(symbols));
  return {
    seconds: (performance.now() - began) / 1000,
    mb: statSync(stream).size / 1e6,
    peakMb: (process.resourceUsage().maxRSS * 1024) / 1e6,
    stacks: profile.ebpf.offcpu?.stacks.length ?? 0,
  };
}

const [, script, recording, stream] = process.argv;
if (script?.endsWith('reader.mjs') && recording && stream) {
  console.log(JSON.stringify(await measure(recording, stream)));
}
