/**
 * Replaces bt/driver/host.ts in the command that `command.ts` builds: this machine has everything that bpftrace needs. Other
 * tests cover the real one's errors.
 */
import { type Host, type Machine, readDialect } from '../../bt/driver/host.ts';

export * from '../../bt/driver/host.ts';

export function readMachine(): Machine {
  const info = { kernel: '6.18.0', arch: 'x86_64', cpus: 2, hostname: 'fake' } as const;
  return { info, btf: true, seccomp: true, possibleCpus: 2 };
}

export async function requireHost(bpftrace: string, btprof: string): Promise<Host> {
  return { ...readMachine(), bpftrace, btprof, dialect: await readDialect(bpftrace) };
}

/** A directory with the tracepoints, created by the test. */
export function tracefs(): string | undefined {
  return process.env.FAKE_TRACEFS ?? '/proc/self/exe';
}

export const hasBtf = () => true;
export const inInitialPidNamespace = () => true;
