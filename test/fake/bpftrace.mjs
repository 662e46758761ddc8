/**
 * A stand-in for bpftrace that needs neither root nor a kernel: it follows the script in the directory that is its first argument
 * (see `bpftrace.ts`) and leaves there what it was started with.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Nothing waits longer for it; a test that fails leaves no process for ever. */
const LONGEST_LIFE_MS = 60_000;
const POLL_MS = 2;

const [dir, ...args] = process.argv.slice(2);
const { runs } = JSON.parse(readFileSync(join(dir, 'script.json'), 'utf8'));
const number = takeNumber(0);
const run = runs[Math.min(number, runs.length - 1)];
const program = args[args.indexOf('-e') + 1];
const target = run.pid ?? targetIn(program) ?? dwarfPid();

let interrupted = false;
process.on('SIGINT', () => {
  interrupted = true;
});
setTimeout(() => process.exit(99), LONGEST_LIFE_MS);
tellStart({ pid: process.pid, args, program, target, environment: process.env });
for (const [action, operand] of run.steps) await STEPS()[action](operand);
process.exit(0);

/** By a file that is whole as soon as it is there. */
function tellStart(start) {
  const file = join(dir, `run-${number}`, 'started.json');
  writeFileSync(`${file}.part`, JSON.stringify(start));
  renameSync(`${file}.part`, file);
}

/** What a script can have it do. */
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
    /** btprof wants the maps, or sent SIGINT, at which bpftrace prints them too. */
    asked: () => interrupted || existsSync(join(dir, 'asked')),
    interrupted: () => interrupted,
    /** The target is the command now, or has been: no longer the shell that held its place, nor env(1). */
    running: () => !fieldOf(target, 'cmdline').includes('/usr/bin/env'),
    /** The test lets it go on, each time once; or the collection ends. */
    told: () => takeFile(join(dir, 'told')) || CONDITIONS().asked(),
    stopped: () => / T /.test(fieldOf(target, 'stat')),
    gone: () => ['', 'Z', 'X'].includes(/\) (\w)/.exec(fieldOf(target, 'stat'))?.[1] ?? ''),
  };
}

function takeFile(file) {
  const isThere = existsSync(file);
  if (isThere) unlinkSync(file);
  return isThere;
}

/** Sessions are numbered in the order of their starts. */
function takeNumber(n) {
  try {
    mkdirSync(join(dir, `run-${n}`));
    return n;
  } catch {
    return takeNumber(n + 1);
  }
}

/** Programs name two processes by `pid ==`: btprof, which is our parent, and the held target. */
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
