/**
 * `npm run demo`: profiles a small program and explains the result. If bpftrace cannot run, it prints why and shows a recording
 * of the same program instead.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { $ } from 'zx';
import { PROFILERS } from '../bt/profilers/profiler-registry.ts';
import { summaryView } from '../cli/formats/summary/summary-page.ts';
import { lookOf } from '../cli/terminal.ts';
import { type KeptRun, replay } from '../metrics/replay.ts';
import { prepareHost, TO_PROFILE } from './prepare-host.ts';

const COMMAND = ['node', 'fixtures/workloads/demo.mjs'];

const READING = `
How to read it. The program is fixtures/workloads/demo.mjs; it waits in three ways.

- Two worker threads compete for one lock. Each holds it for 23 ms, 11 times. A thread that waits for a lock is in
  futex_do_wait (older kernels: futex_wait_queue). Node's idle threads wait there too, and in do_epoll_wait (ep_poll).
  Off-CPU time adds up over all threads, so it is longer than the run.
- A child sleeps for 300 ms, once, in do_nanosleep. The main thread waits for it in do_epoll_wait.
- The main thread writes 13 times with fsync. These waits for the disk are in folio_wait_bit and, with ext4, in
  jbd2_log_wait_commit. On a fast disk, or where /tmp is in memory, they are too short for the first lines.

Next: btprof run -- YOUR COMMAND; --json prints the whole result. btprof doctor checks this host.`;

const missing = await prepareHost(TO_PROFILE);
const problem = missing.length > 0 ? missing.join('\n') : await profileHere();
if (problem) await showRecording(problem);
console.log(READING);

/** @returns why profiling failed; undefined if it worked */
async function profileHere(): Promise<string | undefined> {
  console.log(`$ btprof run -- ${COMMAND.join(' ')}\n`);
  const run = await $({ nothrow: true, quiet: true })`node dist/btprof.mjs run -- ${COMMAND}`;
  if (run.exitCode !== 0) return run.stderr.trim();
  console.log(run.stderr.trimEnd());
  return undefined;
}

async function showRecording(why: string): Promise<void> {
  console.log(`btprof cannot profile on this machine. What is missing:\n${why}\n`);
  console.log('This is a RECORDING of the demo, made on another machine and read by the same code:\n');
  const file = new URL('../fixtures/recordings/0.17/demo.json.gz', import.meta.url);
  const kept = JSON.parse(gunzipSync(readFileSync(file)).toString()) as KeptRun;
  console.log(
    summaryView(
      { profile: replay(kept, PROFILERS), measurements: PROFILERS },
      { ...(await lookOf(1)), verbose: false, idle: 'fold' },
    ).trimEnd(),
  );
}
