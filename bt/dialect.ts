import { BtprofError } from '../metrics/errors.ts';

/** The oldest bpftrace that btprof writes programs for. */
const FLOOR = '0.16.0';
/** The first bpftrace with which btprof was not tested. */
const UNTRIED = '0.28.0';

/** What a program may use on the host. */
export interface Settings {
  /** Maximum entries of each map. */
  readonly mapEntries: number;
  /** Size of the event buffer, in pages of 4 KiB, for all CPUs together. */
  readonly bufferPages: number;
  readonly cpus: number;
}

/** What differs between bpftrace versions. It is chosen once; no other file compares versions. */
export interface Dialect {
  /** bpftrace's own version, such as `0.17.0`. */
  readonly version: string;
  /**
   * The argument that makes `kstack()` and `ustack()` print addresses. `raw` prints nothing else; before 0.18 there is
   * only `perf`, which prints names, too.
   */
  readonly stackMode: 'perf' | 'raw';
  /** Where bpftrace stores stacks: in one map for all of them, or in each key and value that has one. */
  readonly stackStore: 'shared' | 'inline';
  /** How many map entries bpftrace needs for one key with `stats()`. */
  readonly statsSlots: 1 | 2;
  /**
   * Whether a count is lost when two CPUs add the same new key to a per-CPU map at once
   * (github.com/bpftrace/bpftrace/issues/4068).
   */
  readonly losesFirstCounts: boolean;
  /** Whether it reads the arguments of tracepoints from BTF only. */
  readonly needsBtf: boolean;
  /** Whether it has `dw_ustack()`: on x86_64, for processes that run when it starts. */
  readonly unwindsDwarf: boolean;
  /** Environment variables that pass the settings; undefined for those that have to be unset. */
  readonly environment: (settings: Settings) => Record<string, string | undefined>;
  /** Reported once in every result of this version. */
  readonly warnings: readonly string[];
}

/**
 * Reads what `bpftrace --version` printed, such as `bpftrace v0.17.0`.
 *
 * @throws BtprofError when there is no version in it, or one below 0.16
 */
export function dialectFor(versionOutput: string): Dialect {
  const version = /\bv?(\d+\.\d+(?:\.\d+)?)/.exec(versionOutput)?.[1];
  if (!version) {
    throw new BtprofError(
      `bpftrace --version printed no version number, but ${JSON.stringify(versionOutput.slice(0, 80))}.`,
      'Check that --bpftrace names a bpftrace.',
    );
  }
  const since = (first: string) => compare(version, first) >= 0;
  if (!since(FLOOR)) {
    throw new BtprofError(
      `bpftrace ${version} is too old: btprof needs ${FLOOR} or newer.`,
      'Install a newer bpftrace, or name one with --bpftrace PATH.',
    );
  }
  return {
    version,
    stackMode: since('0.18.0') ? 'raw' : 'perf',
    stackStore: since('0.25.0') ? 'inline' : 'shared',
    statsSlots: since('0.22.0') ? 1 : 2,
    losesFirstCounts: since('0.20.0') && !since('0.23.3'),
    needsBtf: since('0.25.0'),
    unwindsDwarf: since('0.26.0'),
    environment: (settings) => environment(settings, since),
    warnings: since(UNTRIED)
      ? [`bpftrace ${version} is newer than any that this btprof was tested with: treated as 0.27`]
      : [],
  };
}

/** Maximum bytes of a string: the programs print the names of files and directories. */
const STRING_BYTES = 64;
/** Maximum number of probes: more than any program of btprof has. */
const PROBES = 512;

/**
 * Spells the settings for a version. A setting has an old and a new name; the other one is unset, because some versions
 * read both. Up to 0.18, each CPU has its own buffer. Before 0.19, bpftrace reads whole symbol tables even if only
 * addresses are wanted, so this is turned off. If the length of strings is set, 0.25 builds programs that the kernel
 * refuses, so 0.24 and later keep their default of 1,024 bytes.
 */
function environment(settings: Settings, since: (version: string) => boolean) {
  const { mapEntries, bufferPages, cpus } = settings;
  const [entries, strings] = [String(mapEntries), String(STRING_BYTES)];
  const renamed = since('0.20.0');
  const shared = since('0.19.0');
  return {
    BPFTRACE_MAP_KEYS_MAX: renamed ? undefined : entries,
    BPFTRACE_MAX_MAP_KEYS: renamed ? entries : undefined,
    BPFTRACE_STRLEN: renamed ? undefined : strings,
    BPFTRACE_MAX_STRLEN: renamed && !since('0.24.0') ? strings : undefined,
    BPFTRACE_MAX_PROBES: String(PROBES),
    BPFTRACE_PERF_RB_PAGES: String(shared ? bufferPages : powerOfTwoBelow(bufferPages / cpus)),
    BPFTRACE_NO_USER_SYMBOLS: shared ? undefined : '1',
  };
}

/** The largest power of two that is not above `limit`; at least 1. */
function powerOfTwoBelow(limit: number): number {
  return 2 ** Math.max(0, Math.floor(Math.log2(limit)));
}

function compare(a: string, b: string): number {
  const [x, y] = [a, b].map((v) => v.split('.').map(Number)) as [number[], number[]];
  for (let i = 0; i < 3; i++) {
    const difference = (x[i] ?? 0) - (y[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
