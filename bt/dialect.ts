import { BtprofError } from './errors.ts';

/** The oldest bpftrace that btprof writes programs for. */
const FLOOR = '0.16.0';
/** The newest bpftrace that btprof has been tried with. */
const TESTED = '0.17.1';

/** What one range of bpftrace versions needs said differently. Chosen once; no other file compares versions. */
export interface Dialect {
  /** bpftrace's own version, such as `0.17.0`. */
  readonly version: string;
  /** The argument that makes `kstack()` and `ustack()` print addresses. */
  readonly stackMode: string;
  /**
   * Environment variables: room for that many entries in each map, and no symbols of user code. bpftrace would
   * read whole symbol tables to name the frames of processes that happen to live; we name all, by address.
   */
  readonly environment: (entries: number) => Record<string, string>;
  /** Whose numbers `pid` and `tid` are: the initial PID namespace's, or bpftrace's own. */
  readonly pidNamespace: 'initial' | 'own';
  /** Said once in every result of this version. */
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
  if (compare(version, FLOOR) < 0) {
    throw new BtprofError(
      `bpftrace ${version} is too old: btprof needs ${FLOOR} or newer.`,
      'Install a newer bpftrace, or name one with --bpftrace PATH.',
    );
  }
  return {
    version,
    stackMode: 'perf',
    environment: (entries) => ({
      BPFTRACE_NO_USER_SYMBOLS: '1',
      BPFTRACE_MAP_KEYS_MAX: String(entries),
      BPFTRACE_MAX_MAP_KEYS: String(entries),
    }),
    pidNamespace: compare(version, '0.23.0') < 0 ? 'initial' : 'own',
    warnings:
      compare(version, TESTED) > 0
        ? [`bpftrace ${version} is newer than ${TESTED}, the newest that this btprof was tested with`]
        : [],
  };
}

function compare(a: string, b: string): number {
  const [x, y] = [a, b].map((v) => v.split('.').map(Number)) as [number[], number[]];
  for (let i = 0; i < 3; i++) {
    const difference = (x[i] ?? 0) - (y[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
