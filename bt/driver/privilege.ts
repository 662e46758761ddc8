import { readFileSync, readlinkSync } from 'node:fs';
import { tryRead } from './procfs.ts';

/** Why this process may not trace, and what to do about it. */
export interface Hindrance {
  readonly problem: string;
  readonly fix: string;
}

/** Bit of linux/capability.h. */
const CAP_SYS_ADMIN = 21n;
/** PROC_USER_INIT_INO of linux/proc_ns.h. */
const INITIAL_USER_NAMESPACE = 'user:[4026531837]';

/** The first hindrance, if there is one. bpftrace itself only checks the user, and then fails in the middle of something. */
export function hindrance(): Hindrance | undefined {
  const uid = process.geteuid?.();
  if (uid !== 0)
    return { problem: `bpftrace runs as root only, and this is user ${uid}.`, fix: 'Run btprof with sudo.' };
  const status = tryRead(() => readFileSync('/proc/self/status', 'utf8'));
  if (status === undefined)
    return { problem: '/proc is not mounted.', fix: 'Mount it: mount -t proc proc /proc' };
  const namespace = tryRead(() => readlinkSync('/proc/self/ns/user')) ?? INITIAL_USER_NAMESPACE;
  if (namespace !== INITIAL_USER_NAMESPACE)
    return {
      problem:
        'btprof runs in a user namespace, such as that of a rootless container: the kernel permits no BPF there.',
      fix: 'Run btprof on the host, as root.',
    };
  if (!isCapable(status))
    return {
      problem: 'btprof needs the capability CAP_SYS_ADMIN, which this root lacks.',
      fix: 'In a container, start it with --privileged or --cap-add SYS_ADMIN.',
    };
  return undefined;
}

/** @param status /proc/PID/status */
function isCapable(status: string): boolean {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return ((effective >> CAP_SYS_ADMIN) & 1n) === 1n;
}
