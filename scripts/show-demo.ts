/**
 * `npm run demo`: profiles a small real program and says how to read what comes out. Where bpftrace cannot run it
 * says why, and shows a recording of the same program instead.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { $ } from 'zx';
import { summaryView } from '../cli/formats/summary/summary-page.ts';
import { lookOf } from '../cli/terminal.ts';
import { type KeptRun, replay } from '../metrics/replay.ts';
import { prepareHost, TO_PROFILE } from './host.ts';

const COMMAND = ['node', 'fixtures/workloads/demo.mjs'];

const READING = `
How to read it. The program is fixtures/workloads/demo.mjs; it waits in three ways.

- Two worker threads want one lock, which each holds for 23 ms, 11 times. Waiting for a lock is futex_do_wait (older
  kernels: futex_wait_queue). Node's idle threads wait there too, for work that never comes, and in do_epoll_wait
  (ep_poll). Time off the CPU adds up over all threads, so it is more than the program took.
- A child sleeps for 300 ms: do_nanosleep, once. The main thread waits for it in do_epoll_wait meanwhile.
- The main thread writes 13 times with fsync. That is the disk: folio_wait_bit and jbd2_log_wait_commit with ext4. On a
  fast disk, or where /tmp is in memory, it is too short to be among the first lines.

Next: btprof run -- YOUR COMMAND, or with --json for all of it. btprof doctor checks this host.`;

const missing = await prepareHost(TO_PROFILE);
const problem = missing.length > 0 ? missing.join('\n') : await profileHere();
if (problem) showRecording(problem);
console.log(READING);

/** @returns why it cannot be profiled here; undefined when it was */
async function profileHere(): Promise<string | undefined> {
  console.log(`$ btprof run -- ${COMMAND.join(' ')}\n`);
  const run = await $({ nothrow: true, quiet: true })`node dist/btprof.mjs run -- ${COMMAND}`;
  if (run.exitCode !== 0) return run.stderr.trim();
  console.log(run.stderr.trimEnd());
  return undefined;
}

function showRecording(why: string): void {
  console.log(`btprof cannot profile on this machine. What is missing:\n${why}\n`);
  console.log('This is a RECORDING of the demo, made on another machine and read by the same code:\n');
  const file = new URL('../fixtures/recordings/0.17/demo.json.gz', import.meta.url);
  const kept = JSON.parse(gunzipSync(readFileSync(file)).toString()) as KeptRun;
  console.log(summaryView(replay(kept), { ...lookOf(1), verbose: false, idle: 'fold' }).trimEnd());
}
