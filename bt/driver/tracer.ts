import { execa } from 'execa';
import { BtprofError } from '../errors.ts';
import { readLines } from './lines.ts';
import { familyOf, fdInfos } from './procfs.ts';
import { openProgramInfos, type ProgramInfos } from './program-infos.ts';
import { TRACER_PLACE } from './version-question.ts';

/** Remarks of bpftrace that mean nothing for the result. Stacks that it could not read are counted where they are missing. */
const HARMLESS = [/RLIMIT_MEMLOCK/, /^Attaching \d+ probes?/, /failed to look up stack id/, /^\s*$/];
/** Lines of stderr that are kept for messages. */
const REMARKS_KEPT = 200;

export interface TracerEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface TracerOptions {
  /** Processes whose unwind tables it is to read. */
  readonly dwarfPids: readonly number[];
  /** Whether the program sends signals. */
  readonly signals: boolean;
}

/** What the kernel tells of programs, all together. */
export interface ProgramRuns {
  /** How often it did not run one, for another ran on that CPU; the last that was known, once bpftrace is gone. */
  readonly skipped: number;
  /** How often one ran, while the kernel timed them; 0 again once bpftrace is gone. */
  readonly timed: number;
  /** How long those took, ns. */
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
  /** What it wrote to stderr so far, without its harmless remarks. */
  readonly remarks: () => readonly string[];
  /** What the kernel tells of its programs, once they are loaded. */
  readonly programRuns: () => ProgramRuns;
  /** Room of its maps, as the kernel has it; undefined where that cannot be seen, as in a container. */
  readonly mapEntries: () => number | undefined;
}

/**
 * Starts bpftrace on a program. It runs in a session of its own, so that the terminal's signals reach the command
 * and us but not it: it has to outlive the command to print.
 *
 * @param onLine called with every line of its standard output
 * @throws BtprofError when it cannot be started
 */
export async function startTracer(
  bpftrace: string,
  program: string,
  environment: Record<string, string | undefined>,
  options: TracerOptions,
  onLine: (line: string) => void,
): Promise<Tracer> {
  const unwind = options.dwarfPids.flatMap((pid) => ['--dwarf-pid', String(pid)]);
  const unsafe = options.signals ? ['--unsafe'] : [];
  const child = execa(bpftrace, ['--no-warnings', '-f', 'json', ...unsafe, ...unwind, '-e', program], {
    detached: true,
    stdin: 'ignore',
    buffer: false,
    reject: false,
    cleanup: false,
    cwd: TRACER_PLACE.cwd,
    env: { ...TRACER_PLACE.env, ...environment },
  });
  const remarks: string[] = [];
  const readAll = [
    readLines(child.stdout, onLine),
    readLines(child.stderr, (line) => {
      if (!HARMLESS.some((h) => h.test(line)) && remarks.length < REMARKS_KEPT) remarks.push(line);
    }),
  ];
  const { pid } = child;
  if (pid === undefined) throw cannotStart(bpftrace, await child);
  let programs: ProgramInfos | undefined;
  let skipped = 0;
  const programRuns = () => {
    programs ??= openProgramInfos(pid);
    const runs = runsOf(programs.read());
    skipped = Math.max(skipped, runs.skipped);
    return { ...runs, skipped };
  };
  const signal = (name: NodeJS.Signals) => signalGroup(pid, name);
  return {
    pid,
    interrupt: () => {
      programRuns();
      signal('SIGINT');
    },
    kill: () => signal('SIGKILL'),
    ended: child.then(async (result) => {
      programs?.close();
      await Promise.all(readAll);
      return { code: result.exitCode ?? null, signal: result.signal ?? null };
    }),
    remarks: () => remarks,
    programRuns,
    mapEntries: () => mapEntries(pid),
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

/** All our maps have the same, but for those of one variable. */
function mapEntries(pid: number): number | undefined {
  const infos = familyOf(pid).flatMap(fdInfos);
  const entries = infos.flatMap((info) => HASH_ENTRIES.exec(info)?.[1] ?? []).map(Number);
  return entries.length > 0 ? entries.reduce((a, b) => Math.max(a, b)) : undefined;
}

/** The whole session: `--bpftrace` may name a wrapper that runs the real one as its child. */
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

/** Makes a sentence of why bpftrace ended before its probes were live. */
export function explainFailure(end: TracerEnd, remarks: readonly string[]): BtprofError {
  const text = remarks.join('\n');
  const missing = /(?:tracepoint not found:|No matches for tracepoint) (\w+:\w+)/.exec(text)?.[1];
  if (missing) {
    return new BtprofError(
      `bpftrace finds no tracepoint ${missing}.`,
      'Is tracefs mounted? mount -t tracefs nodev /sys/kernel/tracing; else the kernel lacks it: btprof doctor.',
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
    'btprof ... --debug shows the program and all that bpftrace said.',
  );
}

function firstError(remarks: readonly string[]): string {
  return (
    remarks.find((line) => /error|fail|not permitted|denied/i.test(line)) ??
    remarks.at(-1) ??
    'it said nothing'
  );
}
