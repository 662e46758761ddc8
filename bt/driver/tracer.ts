import type { Readable } from 'node:stream';
import { execa } from 'execa';
import { BtprofError } from '../../metrics/errors.ts';
import type { Dialect, Settings } from '../dialect.ts';
import { TRACER_CWD_ENV } from './bpftrace-version.ts';
import { readLines } from './lines.ts';
import { familyOf, fdInfos } from './procfs.ts';
import { openProgramInfos, type ProgramInfos } from './program-infos.ts';
import type { Scope } from './target.ts';

/** Messages of bpftrace that do not matter. Stacks that it could not read are counted elsewhere. */
const HARMLESS = [/RLIMIT_MEMLOCK/, /^Attaching \d+ probes?/, /failed to look up stack id/, /^\s*$/];
/** Maximum number of stderr lines that are kept for messages. */
const REMARKS_KEPT = 200;

export interface TracerEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

/** The kernel's counts for all programs of one bpftrace. */
export interface ProgramRuns {
  /**
   * How often the kernel skipped a program because another one was running on that CPU. After bpftrace has ended, the
   * last known count.
   */
  readonly skipped: number;
  /** How often a program ran while the kernel timed it; 0 after bpftrace has ended. */
  readonly timed: number;
  /** Time of these runs, ns. */
  readonly timeNs: number;
}

/** A running bpftrace. */
export interface Tracer {
  readonly pid: number;
  /** Asks it to detach, print its maps and end. */
  readonly interrupt: () => void;
  /** Ends it at once; its maps are lost. */
  readonly kill: () => void;
  readonly ended: Promise<TracerEnd>;
  /** How much it has written to its standard output. */
  readonly printedBytes: () => number;
  /** What it wrote to stderr so far, without its harmless remarks. */
  readonly remarks: () => readonly string[];
  /** The kernel's counts for its programs, once they are loaded. */
  readonly programRuns: () => ProgramRuns;
  /** Maximum entries of its maps in the kernel; undefined if that cannot be read, as in a container. */
  readonly mapEntries: () => number | undefined;
}

/** It runs in a session of its own: the terminal's signals are not for it, because it has to outlive the command to print. */
const OPTIONS = {
  detached: true,
  stdin: 'ignore',
  buffer: false,
  reject: false,
  cleanup: false,
  cwd: TRACER_CWD_ENV.cwd,
} as const;

/**
 * Starts bpftrace on a program. It is killed when we exit.
 *
 * @param onLine called with every line of its standard output
 * @throws BtprofError when it cannot be started
 */
export async function startTracer(
  { bpftrace, dialect }: { readonly bpftrace: string; readonly dialect: Pick<Dialect, 'environment'> },
  program: string,
  settings: Settings,
  scope: Pick<Scope, 'dwarfPids' | 'follow'>,
  onLine: (line: string) => void,
): Promise<Tracer> {
  const env = { ...TRACER_CWD_ENV.env, ...dialect.environment(settings) };
  const child = execa(bpftrace, argumentsOf(program, scope), { ...OPTIONS, env });
  const output = readOutput(child, onLine);
  const { pid } = child;
  if (pid === undefined) throw cannotStart(bpftrace, await child);
  const runs = newRunCounter(pid);
  const group = newGroup(pid);
  return {
    pid,
    interrupt: () => {
      runs.read();
      group.signal('SIGINT');
    },
    kill: group.kill,
    ended: child.then(async (result) => {
      runs.close();
      await output.end;
      group.forget();
      return { code: result.exitCode ?? null, signal: result.signal ?? null };
    }),
    printedBytes: output.bytes,
    remarks: output.remarks,
    programRuns: runs.read,
    mapEntries: () => mapEntries(pid),
  };
}

function argumentsOf(program: string, { dwarfPids, follow }: Pick<Scope, 'dwarfPids' | 'follow'>): string[] {
  const unwind = dwarfPids.flatMap((pid) => ['--dwarf-pid', String(pid)]);
  // To send a signal is unsafe.
  const unsafe = follow.kind === 'held' && follow.entry ? ['--unsafe'] : [];
  return ['--no-warnings', '-f', 'json', ...unsafe, ...unwind, '-e', program];
}

/** Reads both outputs of a bpftrace; `end` resolves when all is read. */
function readOutput(
  { stdout, stderr }: { readonly stdout: Readable; readonly stderr: Readable },
  onLine: (line: string) => void,
) {
  let bytes = 0;
  stdout.on('data', ({ length }: Buffer) => {
    bytes += length;
  });
  const remarks: string[] = [];
  const onRemark = (line: string) => {
    if (!HARMLESS.some((h) => h.test(line)) && remarks.length < REMARKS_KEPT) remarks.push(line);
  };
  const end = Promise.all([readLines(stdout, onLine), readLines(stderr, onRemark)]);
  return { end, bytes: () => bytes, remarks: () => remarks };
}

/** Reads the kernel's counts for the programs of a bpftrace. */
function newRunCounter(pid: number) {
  let programs: ProgramInfos | undefined;
  let skipped = 0;
  return {
    read: (): ProgramRuns => {
      programs ??= openProgramInfos(pid);
      const runs = runsOf(programs.read());
      skipped = Math.max(skipped, runs.skipped);
      return { ...runs, skipped };
    },
    close: () => programs?.close(),
  };
}

function runsOf(infos: readonly string[]): ProgramRuns {
  const sum = (pattern: RegExp) =>
    infos.reduce((total, info) => total + Number(pattern.exec(info)?.[1] ?? 0), 0);
  return {
    skipped: sum(/^recursion_misses:\s+(\d+)/m),
    timed: sum(/^run_cnt:\s+(\d+)/m),
    timeNs: sum(/^run_time_ns:\s+(\d+)/m),
  };
}

/** Hashes, and hashes with a value for each CPU (enum bpf_map_type). */
const HASH_ENTRIES = /^map_type:\s+[15]\n(?:.*\n)*?max_entries:\s+(\d+)/m;

/** All maps have the same size, except single variables. */
function mapEntries(pid: number): number | undefined {
  const infos = familyOf(pid).flatMap(fdInfos);
  const entries = infos.flatMap((info) => HASH_ENTRIES.exec(info)?.[1] ?? []).map(Number);
  return entries.length > 0 ? entries.reduce((a, b) => Math.max(a, b)) : undefined;
}

/**
 * The whole session of a bpftrace, because `--bpftrace` may name a wrapper that runs the real one as its child. Once all of it
 * has ended, its number may belong to others: it gets no more signals.
 */
function newGroup(pid: number) {
  let isThere = true;
  const signal = (name: NodeJS.Signals) => {
    if (isThere) signalGroup(pid, name);
  };
  const kill = () => signal('SIGKILL');
  process.once('exit', kill);
  const forget = () => {
    isThere = false;
    process.off('exit', kill);
  };
  return { signal, kill, forget };
}

function signalGroup(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function cannotStart(bpftrace: string, result: { code?: string | undefined }): BtprofError {
  const why = result.code === 'ENOENT' ? 'there is no such command' : (result.code ?? 'unknown error');
  return new BtprofError(
    `cannot start ${JSON.stringify(bpftrace)}: ${why}.`,
    'Install bpftrace, or name one with --bpftrace PATH.',
  );
}

/** Explains why bpftrace ended before its probes were attached. */
export function explainFailure(end: TracerEnd, remarks: readonly string[]): BtprofError {
  const text = remarks.join('\n');
  const missing = /(?:tracepoint not found:|No matches for tracepoint) (\w+:\w+)/.exec(text)?.[1];
  if (missing) {
    return new BtprofError(
      `bpftrace finds no tracepoint ${missing}.`,
      "Mount tracefs: mount -t tracefs nodev /sys/kernel/tracing. If it is mounted, the kernel lacks it: see 'btprof doctor'.",
    );
  }
  if (/only supports running as the root user/.test(text)) {
    return new BtprofError('bpftrace runs as root only.', 'Run btprof with sudo.');
  }
  if (/Operation not permitted|Permission denied/.test(text)) {
    return new BtprofError(
      `the kernel does not permit BPF here: ${firstError(remarks)}`,
      "In a container, start it with --privileged; elsewhere see 'btprof doctor'.",
    );
  }
  const how = end.signal ? `by ${end.signal}` : `with status ${end.code}`;
  return new BtprofError(
    `bpftrace ended ${how} before its probes were live: ${firstError(remarks)}`,
    'Type: btprof ... --debug. It shows the program and everything that bpftrace wrote.',
  );
}

function firstError(remarks: readonly string[]): string {
  return (
    remarks.find((line) => /error|fail|not permitted|denied/i.test(line)) ??
    remarks.at(-1) ??
    'it wrote nothing'
  );
}
