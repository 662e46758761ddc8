import { mkdirSync, readFileSync } from 'node:fs';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { childrenOf, tryRead } from '../../bt/driver/procfs.ts';
import { startTracer } from '../../bt/driver/tracer.ts';
import type { Profile } from '../../metrics/schema.ts';
import { untilPrints } from '../fake/processes.ts';
import { BTPROF, bpftraceThat, profile, quote, temporaryFile, validProfile } from './btprof.ts';

/** Makes 3,000 system calls, so our program runs at least as often. */
const CALLS = ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=1', 'count=1500', 'status=none'];

/**
 * Profiles with real-time priority. These tests measure shares of wall time, and estimates from a part of it. On a busy
 * machine, other processes would distort both.
 */
async function profileWithPriority(...args: string[]): Promise<Profile> {
  const file = temporaryFile('p.json');
  await execa('chrt', ['--rr', '1', BTPROF, 'run', '--json', '--quiet', '-o', file, ...args]);
  return validProfile(readFileSync(file, 'utf8'));
}

describe.concurrent('the overhead of our BPF programs', () => {
  test('is measured by the kernel', async () => {
    const { quality, ebpf, metadata } = await profileWithPriority('--', ...CALLS);
    const { wall_time_ns: wall } = metadata;
    const { overhead } = quality;
    if (!overhead) throw new Error(`not measured: ${quality.hints}`);
    const { bpf_time_ns, bpf_events, ...rates } = overhead;
    expect(overhead.timed_ns).toBe(wall); // a short run is timed completely
    expect(bpf_events).toBeGreaterThan(ebpf.syscalls?.total ?? Infinity);
    expect(bpf_time_ns).toBeGreaterThan(50 * bpf_events);
    expect(rates.cpu_share).toBeCloseTo(bpf_time_ns / wall, 5);
    expect(rates.ns_per_event).toBeCloseTo(bpf_time_ns / bpf_events, 0);
    expect(rates.events_per_second / bpf_events / (1e9 / wall)).toBeCloseTo(1, 3);
  });

  test('is reported with the resources that btprof and bpftrace used', async () => {
    const { quality, metadata } = await profile(['run', '--', ...CALLS]);
    const { footprint } = quality;
    expect(footprint?.cpu_share).toBeCloseTo((footprint?.cpu_time_ns ?? -1) / metadata.wall_time_ns, 5);
    for (const bytes of ['btprof_peak_bytes', 'bpftrace_peak_bytes', 'map_bytes'] as const) {
      expect(footprint?.[bytes]).toBeGreaterThan(2 ** 20);
    }
  });

  test('includes the cost of prints at intervals, with a warning if it is high', async () => {
    const processes = 'for i in $(seq 100); do /bin/true; done; sleep 1';
    const args = ['run', '--format', 'jsonl', '--interval', '10ms', '--', 'sh', '-c', processes];
    const { stdout } = await execa('chrt', ['--rr', '1', BTPROF, ...args]); // see `profileWithPriority`
    const { quality } = validProfile(stdout.trimEnd().split('\n').at(-1) ?? '');
    expect(quality.footprint?.cpu_share).toBeGreaterThan(0.1);
    expect(quality.footprint?.bpftrace_peak_bytes).toBeGreaterThan(2 ** 20);
    expect(quality.warnings).toContainEqual(expect.stringMatching(/took \d+\.\d % of one CPU.*--interval/));
  });

  test('is not measured with --no-self-measure', async () => {
    const { quality } = await profile(['run', '--no-self-measure', '--', ...CALLS]);
    expect([quality.overhead, quality.footprint]).toEqual([null, null]);
    expect(quality.hints.filter((hint) => hint.includes('programs cost'))).toEqual([]);
  });

  test('is measured even if the directory for temporary files is noexec', async () => {
    const { overhead } = await qualityWithNoexec(0.3);
    expect(overhead?.bpf_events).toBeGreaterThan(0);
  });

  test('is unknown if all such directories are noexec, and a hint says so', async () => {
    const { stdout } = await withNoexec(EVERYWHERE, ['attach', '--json', '-d', '100ms', `${process.pid}`]);
    const { overhead, hints } = validProfile(stdout).quality;
    expect(overhead).toBeNull();
    const said = /overhead is unknown.*no program may run in .*noexec; .*in \/dev\/shm.*; TMPDIR=DIRECTORY/;
    expect(hints).toContainEqual(expect.stringMatching(said));
  });

  test('and then run cannot hold the command, and says what to do', async () => {
    const { exitCode, stderr } = await withNoexec(EVERYWHERE, ['run', '--', 'true']);
    expect(exitCode).toBe(125);
    expect(stderr).toMatch(
      /cannot start the program that holds the command: .*\nName a directory where programs/,
    );
  });
});

/** Where our programs may run besides the directory for temporary files and the home directory. */
const EVERYWHERE = ['/var/tmp', '/dev/shm'];

/** The quality of a profiled sleep, with a noexec directory for temporary files. */
async function qualityWithNoexec(seconds: number): Promise<Profile['quality']> {
  const { stdout } = await withNoexec([], ['run', '--json', '--', 'sleep', `${seconds}`]);
  return validProfile(stdout).quality;
}

/** Runs btprof with noexec directories: that of temporary files, which is also the home directory, and others. */
function withNoexec(others: readonly string[], [command = '', ...options]: readonly string[]) {
  const TMPDIR = temporaryFile('noexec');
  mkdirSync(TMPDIR);
  const noexec = [TMPDIR, ...others]
    .map((place) => `mount -t tmpfs -o noexec none ${quote(place)}`)
    .join(' && ');
  const bpftrace = bpftraceThat('TMPDIR=/tmp exec bpftrace "$@"'); // may be installed in another root, without this TMPDIR
  const args = [command, '--bpftrace', bpftrace, ...options];
  const words = ['-m', 'sh', '-c', `${noexec} && exec "$@"`, 'sh', BTPROF, ...args];
  return execa('unshare', words, { env: { TMPDIR, HOME: TMPDIR }, reject: false });
}

/** The quality of a profile in which a child of btprof is killed as soon as the child `there` exists. */
async function qualityAfterKill(
  there: string,
  child: string,
  signal: NodeJS.Signals,
): Promise<Profile['quality']> {
  const file = temporaryFile('p.json');
  const running = execa(BTPROF, ['run', '--json', '--quiet', '-o', file, '--', 'sleep', '2'], {
    reject: false,
  });
  const children = () => new Map(childrenOf(running.pid as number).map((pid) => [nameOf(pid), pid]));
  await expect.poll(() => [...children().keys()], { timeout: 30_000, interval: 5 }).toContain(there);
  process.kill(children().get(child) as number, signal);
  await running;
  return validProfile(readFileSync(file, 'utf8')).quality;
}

const nameOf = (pid: number) => tryRead(() => readFileSync(`/proc/${pid}/comm`, 'utf8').trim()) ?? '';
/** The kernel cuts names at 15 characters. */
const HELPER = 'btprof-bpf-stat';

test('the overhead is unknown if bpftrace ends by itself', async () => {
  const { overhead, footprint } = await qualityAfterKill('sleep', 'bpftrace', 'SIGINT');
  expect([overhead, footprint]).toEqual([null, null]);
});

test('the overhead is unknown if its helper process was killed, and a hint says so', async () => {
  const { overhead, footprint, hints } = await qualityAfterKill(HELPER, HELPER, 'SIGKILL');
  expect(overhead).toBeNull();
  expect(footprint?.cpu_time_ns).toBeGreaterThanOrEqual(0);
  expect(hints).toContainEqual(expect.stringMatching(/overhead is unknown.*its process was ended/));
});

/** A steady load for some seconds. */
const MORE_CALLS = CALLS.map((word) => word.replace('count=1500', 'count=2000000'));

test('two concurrent profiles both get an overhead estimate, and BPF timing is switched off afterwards', async () => {
  const short = profile(['run', '--', 'sleep', '0.2']);
  const long = await profileWithPriority('-p', 'syscalls', '--', ...MORE_CALLS);
  expect((await short).quality.overhead?.bpf_events).toBeGreaterThan(0);
  const { bpf_events = 0, timed_ns = Infinity } = long.quality.overhead ?? {};
  expect(timed_ns).toBeGreaterThanOrEqual(198e6); // a timer may be early
  expect(timed_ns).toBeLessThan(long.metadata.wall_time_ns / 2);
  const total = long.ebpf.syscalls?.total ?? 0;
  expect(bpf_events / total).toBeGreaterThan(0.75);
  expect(bpf_events / total).toBeLessThan(1.5);
  expect(await countTimedRuns()).toBe(0);
});

test('BPF timing is also switched off after btprof was killed', async () => {
  const args = ['run', '-p', 'syscalls', '--quiet', '--', 'sh', '-c', 'echo runs; exec sleep 5'];
  const running = execa(BTPROF, args, { reject: false });
  const helper = () => childrenOf(running.pid as number).find((pid) => nameOf(pid) === HELPER) ?? 0;
  await untilPrints(running.stdout, 'runs');
  const pid = helper();
  expect(nameOf(pid)).toBe(HELPER);
  running.kill('SIGKILL');
  await running;
  await expect.poll(() => nameOf(pid), { timeout: 10_000 }).not.toBe(HELPER);
  expect(await countTimedRuns()).toBe(0);
});

/** The number of runs of a program that the kernel times, out of some thousand. */
async function countTimedRuns(): Promise<number> {
  const program = 'BEGIN { print("ready"); } tracepoint:raw_syscalls:sys_enter { @[pid] = count(); }';
  let ready = () => {};
  const isReady = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const host = { bpftrace: 'bpftrace', dialect: { environment: () => ({}) } };
  const settings = { mapEntries: 1, bufferPages: 1, cpus: 1 };
  const scope = { dwarfPids: [], follow: { kind: 'argument', children: true } } as const;
  const tracer = await startTracer(host, program, settings, scope, (line) => {
    if (line.includes('ready')) ready();
  });
  try {
    await Promise.race([isReady, tracer.ended]);
    await execa('dd', CALLS.slice(1));
    expect(tracer.mapEntries()).toBeGreaterThan(0); // the program is attached
    return tracer.programRuns().timed;
  } finally {
    tracer.kill();
    await tracer.ended;
  }
}
