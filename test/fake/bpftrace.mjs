/**
 * A stand-in for bpftrace that needs neither root nor a kernel. Its first argument is a directory with a script to follow (see
 * `bpftrace.ts`). It records there how it was started.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Upper limit of its lifetime, so that a failing test leaves no process behind. */
const LONGEST_LIFE_MS = 60_000;
const POLL_MS = 2;

const [dir, ...args] = process.argv.slice(2);
const { runs } = JSON.parse(readFileSync(join(dir, 'script.json'), 'utf8'));
const number = takeNumber(0);
takeFile(join(dir, 'requested')); // an earlier start was asked
const run = runs[Math.min(number, runs.length - 1)];
const program = args[args.indexOf('-e') + 1];
const target = run.pid ?? targetIn(program) ?? dwarfPid();

let interrupted = false;
process.on('SIGINT', () => {
  interrupted = true;
});
setTimeout(() => process.exit(99), LONGEST_LIFE_MS);
recordStart({ pid: process.pid, args, program, target, environment: process.env });
for (const [action, operand] of run.steps) await STEPS()[action](operand);
process.exit(0);

/** Writes the file under another name first, so that readers only see it complete. */
function recordStart(start) {
  const file = join(dir, `run-${number}`, 'started.json');
  writeFileSync(`${file}.part`, JSON.stringify(start));
  renameSync(`${file}.part`, file);
}

/** The actions that a script can contain. */
function STEPS() {
  return {
    lines: (lines) => write(process.stdout, lines.map((line) => `${withTarget(line)}\n`).join('')),
    text: (text) => write(process.stdout, withTarget(text)),
    stderr: (text) => write(process.stderr, `${text}\n`),
    sleep: (ms) => sleep(ms),
    until: async (what) => {
      while (!CONDITIONS()[what]()) await sleep(POLL_MS);
    },
    touch: (file) => writeFileSync(join(dir, file), ''),
    stopTarget: () => process.kill(target, 'SIGSTOP'),
    exit: (status) => process.exit(status),
    kill: (signal) => {
      process.kill(process.pid, signal);
      return sleep(LONGEST_LIFE_MS);
    },
    hang: () => sleep(LONGEST_LIFE_MS),
  };
}

function CONDITIONS() {
  return {
    /** btprof has asked for the maps, or sent SIGINT, which also makes bpftrace print them. */
    requested: () => interrupted || existsSync(join(dir, 'requested')),
    interrupted: () => interrupted,
    /** The target is or was the command, no longer the program that held its place. */
    running: () => !fieldOf(target, 'cmdline').startsWith('btprof-hold'),
    /** The test called `resume()`, once per wait, or the collection is ending. */
    resumed: () => takeFile(join(dir, 'resumed')) || CONDITIONS().requested(),
    stopped: () => / T /.test(fieldOf(target, 'stat')),
    gone: () => ['', 'Z', 'X'].includes(/\) (\w)/.exec(fieldOf(target, 'stat'))?.[1] ?? ''),
  };
}

function takeFile(file) {
  const isThere = existsSync(file);
  if (isThere) unlinkSync(file);
  return isThere;
}

/** Numbers the sessions in the order of their starts. */
function takeNumber(n) {
  try {
    mkdirSync(join(dir, `run-${n}`));
    return n;
  } catch {
    return takeNumber(n + 1);
  }
}

/** Programs contain two processes in `pid ==`: btprof, which is our parent, and the held target. */
function targetIn(text) {
  const named = [...text.matchAll(/\bpid == (\d+)/g)].map(([, pid]) => Number(pid));
  return named.find((pid) => pid !== process.ppid);
}

function dwarfPid() {
  const at = args.indexOf('--dwarf-pid');
  return at < 0 ? undefined : Number(args[at + 1]);
}

function withTarget(text) {
  return target === undefined
    ? text
    : text.replaceAll(new RegExp(`\\b${run.recordedPid}\\b`, 'g'), String(target));
}

function fieldOf(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8').trim();
  } catch {
    return '';
  }
}

function write(stream, text) {
  return new Promise((resolve) => stream.write(text, resolve));
}
