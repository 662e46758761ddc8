/**
 * Installs the bpftrace of three Debian releases side by side, each in its own directory with its libraries. They are built
 * once and stay in /var/cache/btprof.
 */
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { $, which } from 'zx';
import { Refusal } from './refusal.ts';

const CACHE = '/var/cache/btprof';
const MIRROR = 'http://deb.debian.org/debian';
/** Debian releases by their version of bpftrace. */
const RELEASES = { '0.17': 'bookworm', '0.23': 'trixie', '0.27': 'sid' } as const;

/** The first Debian release whose Python has frame pointers. */
const PYTHON_RELEASE = 'sid';
const PYTHON_COMMAND = 'python3.15';
/** Runs that Python. */
export const PYTHON = ['chroot', join(CACHE, PYTHON_RELEASE), PYTHON_COMMAND] as const;

/** Versions that the kernel tests run with. */
export type Version = keyof typeof RELEASES;
export const VERSIONS = Object.keys(RELEASES) as Version[];

/** Tests that do not depend on the version of bpftrace. */
export const VERSION_INDEPENDENT = [
  'capture',
  'demo',
  'failures',
  'overhead',
  'runtimes',
  'summary',
  'target',
].map((name) => `test/live/${name}.test.ts`);

/** One of these bpftraces. */
export interface Bpftrace {
  readonly version: Version;
  /** A directory that contains only the command `bpftrace`, to put first in PATH. */
  readonly dir: string;
  readonly path: string;
}

/**
 * Installs those that do not exist yet. Needs root, debootstrap and a Debian mirror.
 *
 * @throws Refusal if one cannot be installed, or has another version
 */
export async function prepareVersions(versions: readonly Version[] = VERSIONS): Promise<Bpftrace[]> {
  const made = await Promise.allSettled(versions.map(prepareVersion));
  const failed = made.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
  return made.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
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
    throw new Refusal(
      `Debian ${release} has ${said}, not ${version}. To build it again, type: rm -r ${root}`,
    );
  }
  return bpftrace;
}

/** @param packages each contains a command of the same name */
async function bootstrap(release: string, packages: readonly string[], root: string): Promise<void> {
  if (!(await which('debootstrap', { nothrow: true })))
    throw new Refusal(
      'the bpftraces of other Debian releases need debootstrap. Type: apt-get install debootstrap',
    );
  const unfinished = `${root}.unfinished`;
  for (const old of [unfinished, root]) rmSync(old, { recursive: true, force: true });
  mkdirSync(CACHE, { recursive: true });
  console.log(`Making ${root}: ${packages.join(' and ')} of Debian ${release} ...`);
  const include = `--include=${packages.join(',')}`;
  const made = await $({
    quiet: true,
    nothrow: true,
  })`debootstrap --variant=minbase ${include} ${release} ${unfinished} ${MIRROR}`;
  if (!made.ok) {
    const [last] = (made.stderr.trim() || made.stdout.trim()).split('\n').slice(-1);
    throw new Refusal(`debootstrap could not install Debian ${release} from ${MIRROR}: ${last}`);
  }
  renameSync(unfinished, root);
}

/** Writes a command that sees this machine's /proc, /sys, /dev and /tmp. Its mounts end when it ends. */
function writeCommand(root: string, version: Version): Pick<Bpftrace, 'dir' | 'path'> {
  const dir = join(CACHE, `bin-${version}`);
  const path = join(dir, 'bpftrace');
  const inside = [
    ...['proc', 'sys', 'dev', 'tmp'].map((name) => `mount --rbind /${name} ${root}/${name}`),
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
