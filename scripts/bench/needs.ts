import { $ } from 'zx';
import { type Need, prepareCommands, prepareHost, TO_PROFILE } from '../prepare-host.ts';
import { Refusal, requireNothing, sentenceOf } from '../refusal.ts';
import { prepareVersions } from '../versions.ts';

/** A bpftrace to benchmark. */
export interface MeasuredBpftrace {
  /** Such as `0.17`. */
  readonly version: string;
  readonly path: string;
}

export const GCC: Need = { command: 'gcc', package: { default: 'gcc' } };
export const TASKSET: Need = { command: 'taskset', package: { default: 'util-linux' } };
export const SETPRIV: Need = { command: 'setpriv', package: { default: 'util-linux', apk: 'setpriv' } };
export const ADDR2LINE: Need = { command: 'addr2line', package: { default: 'binutils' } };
export const CHROMIUM: Need = { command: 'chromium', package: { default: 'chromium' } };

/**
 * Installs commands, as root.
 *
 * @throws Refusal if some are still missing
 */
export async function requireCommands(...needs: readonly Need[]): Promise<void> {
  requireNothing(await prepareCommands(needs));
}

/**
 * Installs everything needed to profile, plus these commands. The bpftrace versions of Debian releases are optional, because
 * they need debootstrap and a mirror. Without them only the installed bpftrace is measured, and a message says why.
 *
 * @throws Refusal if this machine cannot profile
 */
export async function requireBpftraces(...needs: readonly Need[]): Promise<MeasuredBpftrace[]> {
  requireNothing(await prepareHost(needs));
  try {
    return await prepareVersions();
  } catch (error) {
    const own = await installedBpftrace();
    console.error(`Measuring with the installed bpftrace ${own.version} only: ${sentenceOf(error)}`);
    return [own];
  }
}

/** @throws Refusal if none can be installed */
export async function installedBpftrace(): Promise<MeasuredBpftrace> {
  requireNothing(await prepareHost(TO_PROFILE));
  const { stdout } = await $({ quiet: true })`bpftrace --version`;
  const version = /v(\d+\.\d+)/.exec(stdout)?.[1];
  if (!version)
    throw new Refusal(`bpftrace --version printed ${JSON.stringify(stdout.trim())}, without a version.`);
  return { version, path: 'bpftrace' };
}
