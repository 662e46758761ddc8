/**
 * Real bpftraces of several versions side by side: those of three Debian releases, each in a directory of its own with
 * the libraries that it needs, made once and kept in /var/cache/btprof.
 */
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { $ } from 'zx';

const CACHE = '/var/cache/btprof';
const MIRROR = 'http://deb.debian.org/debian';
/** Debian releases by the bpftrace that they ship. */
const RELEASES = { '0.17': 'bookworm', '0.23': 'trixie', '0.27': 'sid' } as const;

/** The first Python of Debian that keeps frame pointers, from the release that has it: a command and its arguments. */
const PYTHON_RELEASE = 'sid';
const PYTHON_COMMAND = 'python3.15';
export const PYTHON = ['chroot', join(CACHE, PYTHON_RELEASE), PYTHON_COMMAND] as const;

/** Versions that the kernel tests run with. */
export type Version = keyof typeof RELEASES;
export const VERSIONS = Object.keys(RELEASES) as Version[];

/** A bpftrace of one version. */
export interface Bpftrace {
  readonly version: Version;
  /** A directory whose only file is the command `bpftrace`: it can lead PATH. */
  readonly dir: string;
  readonly path: string;
}

/**
 * Makes those that are not there yet. Needs root, debootstrap and a Debian mirror.
 *
 * @throws Error when one cannot be made, or is of another version
 */
export async function prepareVersions(versions: readonly Version[] = VERSIONS): Promise<Bpftrace[]> {
  return Promise.all(versions.map(prepareVersion));
}

async function prepareVersion(version: Version): Promise<Bpftrace> {
  const release = RELEASES[version];
  const root = join(CACHE, release);
  const commands = ['bpftrace', ...(release === PYTHON_RELEASE ? [PYTHON_COMMAND] : [])];
  const isThere = (command: string) => existsSync(join(root, 'usr/bin', command));
  if (!commands.every(isThere)) await bootstrap(release, commands, root);
  const bpftrace = { version, ...writeCommand(root, version) };
  const said = (await $({ quiet: true })`${bpftrace.path} --version`).stdout.trim();
  if (!said.includes(`v${version}.`)) {
    throw new Error(`Debian ${release} has ${said}, not ${version}. To make it anew: rm -r ${root}`);
  }
  return bpftrace;
}

/** @param packages each with a command of its name */
async function bootstrap(release: string, packages: readonly string[], root: string): Promise<void> {
  const unfinished = `${root}.unfinished`;
  for (const old of [unfinished, root]) rmSync(old, { recursive: true, force: true });
  mkdirSync(CACHE, { recursive: true });
  console.log(`Making ${root}: ${packages.join(' and ')} of Debian ${release} ...`);
  const include = `--include=${packages.join(',')}`;
  await $({ quiet: true })`debootstrap --variant=minbase ${include} ${release} ${unfinished} ${MIRROR}`;
  renameSync(unfinished, root);
}

/** The command sees this machine's /proc, /sys and /dev, by mounts that end with it. */
function writeCommand(root: string, version: Version): Pick<Bpftrace, 'dir' | 'path'> {
  const dir = join(CACHE, `bin-${version}`);
  const path = join(dir, 'bpftrace');
  const inside = [
    ...['proc', 'sys', 'dev'].map((name) => `mount --rbind /${name} ${root}/${name}`),
    `exec chroot ${root} /usr/bin/bpftrace "$@"`,
  ];
  mkdirSync(dir, { recursive: true });
  writeFileSync(
    path,
    `#!/bin/sh\nexec unshare --mount --propagation private /bin/sh -c '${inside.join(' && ')}' bpftrace "$@"\n`,
  );
  chmodSync(path, 0o755);
  return { dir, path };
}
