import { existsSync, readFileSync } from 'node:fs';
import { machine, release } from 'node:os';
import { silentRuntimes } from '../../metrics/hints.ts';
import { assembleProfile } from '../../metrics/profile.ts';
import type { DoctorCheck, Profile } from '../../metrics/schema.ts';
import { parseMaps } from '../../parsers/proc.ts';
import type { Dialect } from '../dialect.ts';
import { BtprofError } from '../errors.ts';
import { MAPPING_TRACEPOINTS } from '../mapping-events.ts';
import { DEFAULT_PROFILERS } from '../profilers/names.ts';
import { PROFILERS, selectProfilers } from '../profilers/registry.ts';
import { newPerfMaps } from '../symbols/perf-maps.ts';
import { TRACKING_TRACEPOINTS } from '../tracking.ts';
import { collect } from './collect.ts';
import { holdTarget } from './held-target.ts';
import {
  askDialect,
  hasBtf,
  inInitialPidNamespace,
  installCommand,
  MOUNT_TRACEFS,
  readHost,
  tracefs,
} from './host.ts';
import { tryRead } from './procfs.ts';
import { userProcesses } from './threads.ts';
import type { Tracer } from './tracer.ts';

type Check = Omit<DoctorCheck, 'name'>;

/** Looks at everything a profile needs, one thing at a time; the last one profiles a real program. */
export async function checkHost(
  bpftrace: string,
  onTracer: (tracer: Tracer) => void,
): Promise<DoctorCheck[]> {
  const dialect = await askDialect(bpftrace).catch((error: BtprofError) => error);
  const checks: [string, Check][] = [
    ['platform', platform()],
    ['privilege', privilege()],
    ['bpftrace', bpftraceVersion(dialect, bpftrace === 'bpftrace')],
    ['tracefs', tracefsMounted()],
    ['btf', btf()],
    ['tracking', tracepoints('following processes', TRACKING_TRACEPOINTS)],
    ['mappings', tracepoints('names of user code', MAPPING_TRACEPOINTS)],
    ...PROFILERS.filter((p) => p.tracepoints.length > 0).map((p): [string, Check] => [
      p.name,
      tracepoints(`profiler ${p.name}`, p.tracepoints),
    ]),
    ['pid_namespace', pidNamespace()],
    ['perf_event_paranoid', perfEventParanoid()],
    ['lockdown', lockdown()],
    ['memlock', memlock()],
    ['runtimes', runtimes()],
  ];
  const blocked = checks.some(([, check]) => check.status === 'failed');
  const trial: [string, Check][] =
    blocked || dialect instanceof BtprofError
      ? [['trial', { status: 'skipped', detail: 'not tried: mend what failed first', fix: null }]]
      : await trialRun(bpftrace, dialect, onTracer);
  return [...checks, ...trial].map(([name, check]) => ({ name, ...check }));
}

const ok = (detail: string): Check => ({ status: 'ok', detail, fix: null });
const limited = (detail: string, fix: string | null): Check => ({ status: 'limited', detail, fix });
const failed = (detail: string, fix: string | null): Check => ({ status: 'failed', detail, fix });

function platform(): Check {
  const here = `${process.platform === 'linux' ? `Linux ${release()}` : process.platform} on ${machine()}`;
  const known = process.platform === 'linux' && ['x86_64', 'aarch64'].includes(machine());
  return known ? ok(here) : failed(`${here}: btprof needs Linux on x86_64 or aarch64`, null);
}

function privilege(): Check {
  const uid = process.geteuid?.();
  if (uid !== 0) return failed(`user ${uid}: bpftrace runs as root only`, 'sudo btprof doctor');
  return ok('root');
}

function bpftraceVersion(dialect: Dialect | BtprofError, own: boolean): Check {
  if (dialect instanceof BtprofError)
    return failed(dialect.message, own ? installCommand('bpftrace') : 'btprof doctor --bpftrace PATH');
  const [warning] = dialect.warnings;
  return warning ? limited(warning, null) : ok(`bpftrace ${dialect.version}`);
}

function tracefsMounted(): Check {
  const dir = tracefs();
  return dir ? ok(`mounted at ${dir}`) : failed('not mounted: bpftrace finds no tracepoints', MOUNT_TRACEFS);
}

function btf(): Check {
  if (hasBtf()) return ok('/sys/kernel/btf/vmlinux');
  return limited(
    'the kernel has no BTF, or one from before Linux 5.5: 32-bit system calls are not told apart, and lifetimes of threads are unknown',
    'a kernel built with CONFIG_DEBUG_INFO_BTF=y',
  );
}

function tracepoints(what: string, names: readonly string[]): Check {
  const dir = tracefs();
  if (!dir) return { status: 'skipped', detail: 'needs tracefs', fix: null };
  if (!existsSync(`${dir}/events`)) return { status: 'skipped', detail: 'only root can look', fix: null };
  const missing = names.filter((name) => !existsSync(`${dir}/events/${name.replace(':', '/')}`));
  if (missing.length === 0) return ok(names.join(', '));
  return failed(
    `the kernel lacks ${missing.join(', ')}, needed for ${what}`,
    'a kernel built with CONFIG_FTRACE_SYSCALLS=y',
  );
}

/** Arguments of tracepoints are always the host's numbers; `pid` is, too, up to bpftrace 0.22 only. */
function pidNamespace(): Check {
  if (inInitialPidNamespace()) return ok('the initial one');
  return failed(
    'a PID namespace of its own, and the kernel numbers processes as the host does',
    'docker run --pid=host ..., or run btprof on the host',
  );
}

function perfEventParanoid(): Check {
  const value = tryRead(() => readFileSync('/proc/sys/kernel/perf_event_paranoid', 'utf8').trim());
  if (value === undefined)
    return failed('the kernel has no perf events', 'a kernel built with CONFIG_PERF_EVENTS=y');
  return ok(`${value}; it does not bind root`);
}

/** The kernel puts the mode in force in brackets: `[none] integrity confidentiality`. */
function lockdown(): Check {
  const text = tryRead(() => readFileSync('/sys/kernel/security/lockdown', 'utf8')) ?? '[none]';
  const mode = /\[(\w+)\]/.exec(text)?.[1] ?? 'none';
  if (mode !== 'confidentiality') return ok(mode);
  return failed(
    'confidentiality: BPF may not read kernel memory',
    'boot with lockdown=integrity or without Secure Boot',
  );
}

function memlock(): Check {
  const limits = tryRead(() => readFileSync('/proc/self/limits', 'utf8')) ?? '';
  const soft = /^Max locked memory\s+(\S+)/m.exec(limits)?.[1] ?? 'unknown';
  return ok(`${soft} bytes; kernels since 5.11 do not count BPF maps against it`);
}

/** Processes that run now and compile code while they do. */
function runtimes(): Check {
  const perfMaps = newPerfMaps();
  const maps = (pid: number) => tryRead(() => readFileSync(`/proc/${pid}/maps`, 'utf8')) ?? '';
  const spaces = new Map(userProcesses().map((pid) => [`${pid}:1`, parseMaps(maps(pid))]));
  const silent = silentRuntimes(spaces, (pid) => pid !== process.pid && !perfMaps.has(pid));
  if (silent.length === 0)
    return ok('no Node.js, Java or Python runs that does not say what code it compiles');
  return limited(silent.map(({ which }) => which).join('; '), silent.map(({ advice }) => advice).join('; '));
}

/** Frames with a module that a user stack needs to be of use. */
const USABLE_FRAMES = 3;

/** Profiles `sleep`, as `btprof run` would, and looks at its stack. */
async function trialRun(
  bpftrace: string,
  dialect: Dialect,
  onTracer: (tracer: Tracer) => void,
): Promise<[string, Check][]> {
  try {
    const profile = await profileSleep(bpftrace, dialect, onTracer);
    const { offcpu, syscalls } = profile.ebpf;
    if (!offcpu?.total_events || !syscalls?.total) {
      return [
        ['trial', failed("a profile of 'sleep 0.05' came out empty", 'btprof run --debug -- sleep 0.05')],
      ];
    }
    const events = `${offcpu.total_events} waits and ${syscalls.total} system calls of 'sleep 0.05' seen`;
    return [
      ['trial', ok(events)],
      ['user_stacks', userStacks(profile)],
    ];
  } catch (error) {
    if (!(error instanceof BtprofError)) throw error;
    return [['trial', failed(error.message, error.hint ?? null)]];
  }
}

async function profileSleep(
  bpftrace: string,
  dialect: Dialect,
  onTracer: (tracer: Tracer) => void,
): Promise<Profile> {
  const words = ['sleep', '0.05'].map((word) => Buffer.from(word));
  const target = holdTarget(words, [Buffer.from(`PATH=${process.env.PATH ?? '/usr/bin:/bin'}`)], []);
  try {
    const profilers = selectProfilers(DEFAULT_PROFILERS);
    const plan = { profilers, minBlockNs: 0, stacks: true, stackDepth: 127, children: true };
    const collection = await collect({
      plan,
      host: readHost(),
      dialect,
      bpftrace,
      version: '',
      dwarfPids: [],
      lines: false,
      symbolCache: undefined,
      selfMeasure: false,
      subject: { kind: 'run', target, cmd: ['sleep', '0.05'], executable: 'sleep' },
      stop: new Promise(() => undefined),
      onTracer,
      onStart: () => undefined,
      onSample: () => undefined,
      debug: () => undefined,
    });
    await collection.close();
    return assembleProfile(collection.recording, collection.facts, collection.ending, collection.symbols);
  } finally {
    target.abandon();
  }
}

function userStacks({ ebpf }: Profile): Check {
  const [longest] = ebpf.offcpu?.stacks ?? [];
  const frames = (longest?.user ?? []).map((i) => ebpf.offcpu?.frames[i]);
  const cut = frames.findIndex((frame) => !frame?.module);
  const usable = cut < 0 ? frames.length : cut;
  const detail = `usable frames in the stack of 'sleep': ${usable}`;
  if (usable >= USABLE_FRAMES) return ok(detail);
  return limited(
    `${detail}; the system's libraries are built without frame pointers, so callers are missing`,
    'make CFLAGS=-fno-omit-frame-pointer, for the program to be profiled',
  );
}
