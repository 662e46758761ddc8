import { closeSync, existsSync, openSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { cpus, hostname, machine, release } from 'node:os';
import { BtprofError, interrupted } from '../../metrics/errors.ts';
import type { HostInfo } from '../../metrics/metadata-schema.ts';
import type { Arch } from '../../metrics/syscall-name.ts';
import { type Dialect, dialectFor } from '../dialect.ts';
import { readVersion } from './bpftrace-version.ts';
import { hindrance } from './privilege.ts';
import { tryRead } from './procfs.ts';

/** What a bpftrace program depends on, besides the version of bpftrace. */
export interface Machine {
  readonly info: HostInfo & { readonly arch: Arch };
  /** Whether the kernel has BTF, with all that btprof reads of a task. */
  readonly btf: boolean;
  readonly seccomp: boolean;
  /** Number of possible CPUs: per-CPU maps have a value for each. */
  readonly possibleCpus: number;
}

/** This machine and its bpftrace. */
export interface Host extends Machine {
  /** The bpftrace command; a path is absolute. */
  readonly bpftrace: string;
  readonly dialect: Dialect;
  /** The version of btprof that runs here. */
  readonly btprof: string;
}

const BTF = '/sys/kernel/btf/vmlinux';
export const MOUNT_TRACEFS = 'mount -t tracefs nodev /sys/kernel/tracing';

/**
 * @throws BtprofError on anything but Linux on x86_64 or aarch64
 */
export function readMachine(): Machine {
  const arch = machine();
  if (process.platform !== 'linux') {
    throw new BtprofError(`bpftrace runs on Linux only, and this is ${process.platform}.`);
  }
  if (arch !== 'x86_64' && arch !== 'aarch64') {
    throw new BtprofError(`btprof knows the system calls of x86_64 and aarch64 only, and this is ${arch}.`);
  }
  return {
    info: { kernel: release(), arch, cpus: cpus().length, hostname: hostname() },
    btf: hasBtf(),
    seccomp: hasSeccomp(),
    possibleCpus: possibleCpus(),
  };
}

/**
 * Field names are in BTF's table of strings (Documentation/bpf/btf.rst). The newest field of a task that we read is
 * start_boottime, of Linux 5.5. run_delay exists with CONFIG_SCHED_INFO.
 */
export function hasBtf(): boolean {
  return tryRead(() => hasFields(btfStrings(), ['start_boottime', 'run_delay'])) ?? false;
}

/** Without it, /proc/PID/status and `task_struct` lack the field. */
function hasSeccomp(): boolean {
  return /^Seccomp:/m.test(tryRead(() => readFileSync('/proc/self/status', 'utf8')) ?? '');
}

/** Size of `struct btf_header`, and the offsets of three of its fields. */
const BTF_HEADER = { bytes: 24, length: 4, stringsStart: 16, stringsLength: 20 };

/** Skips the types, which are two thirds of the file: the kernel returns one page per read. */
function btfStrings(): Buffer {
  const file = openSync(BTF, 'r');
  try {
    const head = readAt(file, 0, BTF_HEADER.bytes);
    const start = head.readUInt32LE(BTF_HEADER.length) + head.readUInt32LE(BTF_HEADER.stringsStart);
    return readAt(file, start, head.readUInt32LE(BTF_HEADER.stringsLength));
  } finally {
    closeSync(file);
  }
}

/** Returns fewer bytes at the end of the file. */
function readAt(file: number, from: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let had = 0;
  for (let got = 1; got > 0 && had < length; had += got)
    got = readSync(file, bytes, had, length - had, from + had);
  return bytes.subarray(0, had);
}

function hasFields(btf: Buffer, names: readonly string[]): boolean {
  return names.every((name) => btf.includes(`\0${name}\0`));
}

/** `0-127`, or `0-3,8-11`. */
function possibleCpus(): number {
  const text = tryRead(() => readFileSync('/sys/devices/system/cpu/possible', 'utf8').trim()) ?? '';
  const sizes = text.split(',').map((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return (last ?? NaN) - (first ?? NaN) + 1;
  });
  return sizes.reduce((a, b) => a + b, 0) || cpus().length;
}

/** Where tracefs is mounted, directly or below debugfs; undefined when it is not. Only root can read it. */
export function tracefs(): string | undefined {
  const mounts = tryRead(() => readFileSync('/proc/self/mounts', 'utf8')) ?? '';
  const mounted = /^\S+ (\S+) tracefs /m.exec(mounts)?.[1];
  const below = '/sys/kernel/debug/tracing';
  return mounted ?? (existsSync(`${below}/events`) ? below : undefined);
}

/**
 * Reads the version of bpftrace and chooses the dialect.
 *
 * @throws BtprofError when it is missing, does not answer or is too old
 */
export async function readDialect(bpftrace: string): Promise<Dialect> {
  const { stdout, failure } = await readVersion(bpftrace);
  if (failure?.missing) {
    throw new BtprofError(
      `bpftrace is missing: there is no command ${JSON.stringify(bpftrace)}.`,
      bpftrace === 'bpftrace'
        ? `Install it: ${installCommand('bpftrace')}`
        : 'Check the path given to --bpftrace.',
    );
  }
  // Ctrl-C also reaches bpftrace.
  if (failure?.interrupted) throw interrupted();
  if (failure) throw new BtprofError(`${JSON.stringify(bpftrace)} --version failed: ${failure.how}.`);
  return dialectFor(stdout);
}

/**
 * Checks all requirements before a program can run.
 *
 * @param bpftrace the command
 * @param btprof the version of btprof
 * @throws BtprofError for the first one that is not met
 */
export async function requireHost(bpftrace: string, btprof: string): Promise<Host> {
  const machine = readMachine();
  const hindered = hindrance();
  if (hindered) throw new BtprofError(hindered.problem, hindered.fix);
  const dialect = await readDialect(bpftrace);
  if (!tracefs()) {
    throw new BtprofError(
      'tracefs is not mounted, so bpftrace finds no tracepoints.',
      `Mount it: ${MOUNT_TRACEFS}`,
    );
  }
  if (dialect.needsBtf && !existsSync(BTF)) {
    throw new BtprofError(
      `bpftrace ${dialect.version} needs a kernel with BTF, but this kernel has none: ${BTF} does not exist.`,
      'Use bpftrace 0.24 or older, or a kernel built with CONFIG_DEBUG_INFO_BTF=y.',
    );
  }
  if (!inInitialPidNamespace()) {
    throw new BtprofError(
      'btprof runs in a PID namespace, but the kernel reports the PIDs of the host.',
      'Run btprof on the host, or start the container with --pid=host.',
    );
  }
  return { ...machine, bpftrace, dialect, btprof };
}

/** PROC_PID_INIT_INO of linux/proc_ns.h. */
const INITIAL_PID_NAMESPACE = 'pid:[4026531836]';

export function inInitialPidNamespace(): boolean {
  return (
    (tryRead(() => readlinkSync('/proc/self/ns/pid')) ?? INITIAL_PID_NAMESPACE) === INITIAL_PID_NAMESPACE
  );
}

/** What to type to install packages here. */
export function installCommand(...packages: string[]): string {
  const managers: readonly [string, string][] = [
    ['/usr/bin/apt-get', 'apt-get update && apt-get install -y'],
    ['/usr/bin/dnf', 'dnf install -y'],
    ['/sbin/apk', 'apk add'],
    ['/usr/bin/pacman', 'pacman -Sy --noconfirm'],
    ['/usr/bin/zypper', 'zypper --non-interactive install'],
  ];
  const found = managers.find(([path]) => existsSync(path));
  return `${found?.[1] ?? "your system's package manager:"} ${packages.join(' ')}`;
}
