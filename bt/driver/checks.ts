import { existsSync, readFileSync } from 'node:fs';
import { machine, release } from 'node:os';
import { BtprofError } from '../../metrics/errors.ts';
import { silentRuntimes } from '../../metrics/runtimes.ts';
import type { DoctorCheck } from '../../metrics/schema.ts';
import { parseMaps } from '../../parsers/proc.ts';
import type { Dialect } from '../dialect.ts';
import { MAPPING_TRACEPOINTS } from '../mapping-events.ts';
import { PROFILERS } from '../profilers/profiler-registry.ts';
import { readKallsyms } from '../symbols/kallsyms.ts';
import { newPerfMaps } from '../symbols/perf-maps.ts';
import { TRACKING_TRACEPOINTS } from '../tracking.ts';
import { type Check, failed, limited, ok } from './check.ts';
import {
  hasBtf,
  inInitialPidNamespace,
  installCommand,
  MOUNT_TRACEFS,
  readDialect,
  tracefs,
} from './host.ts';
import { hindrance } from './privilege.ts';
import { userProcesses } from './proc-threads.ts';
import { tryRead } from './procfs.ts';
import { trialRun } from './trial.ts';

/** Checks everything that a profile needs, one thing at a time. The last check profiles a real program. */
export async function checkHost(bpftrace: string): Promise<DoctorCheck[]> {
  const dialect = await readDialect(bpftrace).catch((error: BtprofError) => error);
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
    ['kernel_symbols', kernelSymbols()],
    ['pid_namespace', pidNamespace()],
    ['perf_event_paranoid', perfEventParanoid()],
    ['lockdown', lockdown()],
    ['memlock', memlock()],
    ['runtimes', runtimes()],
  ];
  const blocked = checks.some(([, check]) => check.status === 'failed');
  const trial: [string, Check][] =
    blocked || dialect instanceof BtprofError
      ? [['trial', { status: 'skipped', detail: 'skipped: fix the failed checks first', fix: null }]]
      : await trialRun(bpftrace, dialect);
  return [...checks, ...trial].map(([name, check]) => ({ name, ...check }));
}

function platform(): Check {
  const here = `${process.platform === 'linux' ? `Linux ${release()}` : process.platform} on ${machine()}`;
  const known = process.platform === 'linux' && ['x86_64', 'aarch64'].includes(machine());
  return known ? ok(here) : failed(`${here}: btprof needs Linux on x86_64 or aarch64`, null);
}

function privilege(): Check {
  const hindered = hindrance();
  return hindered ? failed(hindered.problem.replace(/\.$/, ''), hindered.fix) : ok('root');
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
    'the kernel has no BTF, or is older than Linux 5.5: 32-bit system calls cannot be told apart, and lifetimes of threads are unknown',
    'a kernel built with CONFIG_DEBUG_INFO_BTF=y',
  );
}

function tracepoints(what: string, names: readonly string[]): Check {
  const dir = tracefs();
  if (!dir) return { status: 'skipped', detail: 'needs tracefs', fix: null };
  if (!existsSync(`${dir}/events`)) return { status: 'skipped', detail: 'needs root', fix: null };
  const missing = names.filter((name) => !existsSync(`${dir}/events/${name.replace(':', '/')}`));
  if (missing.length === 0) return ok(names.join(', '));
  return failed(
    `the kernel lacks ${missing.join(', ')}, needed for ${what}`,
    'a kernel built with CONFIG_FTRACE_SYSCALLS=y',
  );
}

/** The reasons of waits depend on the names of kernel functions. */
function kernelSymbols(): Check {
  if (!readKallsyms().isHidden) return ok('/proc/kallsyms has addresses');
  const value = tryRead(() => readFileSync('/proc/sys/kernel/kptr_restrict', 'utf8').trim()) ?? 'unknown';
  return limited(
    `the kernel hides the addresses of its functions (kernel.kptr_restrict is ${value}): kernel frames have no names, and most waits no reason`,
    'sysctl -w kernel.kptr_restrict=1',
  );
}

/** Tracepoints report PIDs of the host; bpftrace's `pid` does so up to version 0.22 only. */
function pidNamespace(): Check {
  if (inInitialPidNamespace()) return ok('the initial one');
  return failed(
    'btprof runs in a PID namespace, but the kernel reports the PIDs of the host',
    'docker run --pid=host ..., or run btprof on the host',
  );
}

function perfEventParanoid(): Check {
  const value = tryRead(() => readFileSync('/proc/sys/kernel/perf_event_paranoid', 'utf8').trim());
  if (value === undefined)
    return failed('the kernel has no perf events', 'a kernel built with CONFIG_PERF_EVENTS=y');
  return ok(`${value}; root is not limited by it`);
}

/** The active mode is in brackets: `[none] integrity confidentiality`. */
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

/** Running processes that compile code without naming it. */
function runtimes(): Check {
  const perfMaps = newPerfMaps();
  const maps = (pid: number) => tryRead(() => readFileSync(`/proc/${pid}/maps`, 'utf8')) ?? '';
  const spaces = new Map(userProcesses().map((pid) => [`${pid}:1`, parseMaps(maps(pid))]));
  const silent = silentRuntimes(spaces, (pid) => pid !== process.pid && !perfMaps.has(pid));
  if (silent.length === 0)
    return ok('every running Node.js, Java and Python process names the code that it compiles');
  return limited(silent.map(({ which }) => which).join('; '), silent.map(({ advice }) => advice).join('; '));
}
