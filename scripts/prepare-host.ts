/** Prepares this machine: as root, installs what is missing and mounts tracefs; otherwise prints the commands to type. */
import { existsSync } from 'node:fs';
import { $, which } from 'zx';
import { installCommand, MOUNT_TRACEFS, tracefs } from '../bt/driver/host.ts';

/** A command and the package that contains it, per package manager if the names differ. */
export interface Need {
  readonly command: string;
  readonly package: { readonly default: string } & Partial<Record<Manager, string>>;
}

type Manager = keyof typeof MANAGERS;

const MANAGERS = {
  'apt-get': [
    ['apt-get', 'update'],
    ['apt-get', 'install', '-y'],
  ],
  dnf: [['dnf', 'install', '-y']],
  apk: [['apk', 'add']],
  pacman: [['pacman', '-Sy', '--noconfirm']],
  zypper: [['zypper', '--non-interactive', 'install']],
} as const;

export const TO_PROFILE: readonly Need[] = [{ command: 'bpftrace', package: { default: 'bpftrace' } }];

/**
 * The tests compare with strace and binutils, and build and run small programs. go contains pprof, and chromium shows flame
 * graphs.
 */
export const TO_TEST: readonly Need[] = [
  ...TO_PROFILE,
  { command: 'strace', package: { default: 'strace' } },
  { command: 'python3', package: { default: 'python3', pacman: 'python' } },
  { command: 'gcc', package: { default: 'gcc' } },
  { command: 'g++', package: { default: 'gcc-c++', 'apt-get': 'g++', apk: 'g++', pacman: 'gcc' } },
  { command: 'addr2line', package: { default: 'binutils' } },
  { command: 'llvm-symbolizer', package: { default: 'llvm' } },
  { command: 'go', package: { default: 'go', 'apt-get': 'golang-go', dnf: 'golang' } },
  { command: 'rustc', package: { default: 'rust', 'apt-get': 'rustc' } },
  { command: 'chromium', package: { default: 'chromium' } },
  { command: 'xz', package: { default: 'xz', 'apt-get': 'xz-utils' } },
  { command: 'git', package: { default: 'git' } },
  { command: 'make', package: { default: 'make' } },
  { command: 'pgrep', package: { default: 'procps', dnf: 'procps-ng', pacman: 'procps-ng' } },
];

/** The other bpftrace versions come from Debian releases. */
export const TO_TEST_VERSIONS: readonly Need[] = [
  ...TO_TEST,
  { command: 'debootstrap', package: { default: 'debootstrap' } },
];

/** `npm run test:all` also reads programs that Debian's cross compilers build. */
export const TO_TEST_ALL: readonly Need[] = [
  ...TO_TEST_VERSIONS,
  ...['aarch64-linux-gnu', 'arm-linux-gnueabihf', 'i686-linux-gnu'].map((target) => ({
    command: `${target}-gcc`,
    package: { default: `gcc-${target}` },
  })),
];

/** Headers that gcc needs. No command tells whether they are installed. */
const LIBC_HEADERS = {
  default: 'glibc-devel',
  'apt-get': 'libc6-dev',
  apk: 'musl-dev',
  pacman: 'glibc',
};

/**
 * Prepares the host for profiling, and installs these commands.
 *
 * @returns what is still missing, each with the command that fixes it; empty if the host is ready
 */
export async function prepareHost(needs: readonly Need[]): Promise<string[]> {
  if (process.platform !== 'linux')
    return [`Linux: this is ${process.platform}, where bpftrace does not run.`];
  const missing = await prepareCommands(needs);
  if (isRoot() && !tracefs())
    await $({ nothrow: true, quiet: true })`mount -t tracefs nodev /sys/kernel/tracing`;
  return [
    ...(isRoot() ? [] : ['root: bpftrace runs as root only. Type the command again with sudo.']),
    ...missing,
    ...(tracefs() ? [] : [`tracefs. Type: ${isRoot() ? '' : 'sudo '}${MOUNT_TRACEFS}`]),
  ];
}

/**
 * Installs commands, as root.
 *
 * @returns if some are still missing, a sentence with the command that installs them
 */
export async function prepareCommands(needs: readonly Need[]): Promise<string[]> {
  const missing = await missingNeeds(needs);
  if (isRoot() && missing.length > 0) await install(missing);
  const names = new Set((await missingNeeds(needs)).map((need) => packageOf(need, manager())));
  return names.size > 0
    ? [`${[...names].join(', ')}. Type: ${isRoot() ? '' : 'sudo '}${installCommand(...names)}`]
    : [];
}

function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

async function missingNeeds(needs: readonly Need[]): Promise<Need[]> {
  const found = await Promise.all(needs.map(({ command }) => which(command, { nothrow: true })));
  const missing = needs.filter((_, i) => !found[i]);
  const wantsHeaders = needs.some((need) => need.command === 'gcc') && !existsSync('/usr/include/stdio.h');
  return wantsHeaders ? [...missing, { command: '', package: LIBC_HEADERS }] : missing;
}

async function install(missing: readonly Need[]): Promise<void> {
  const name = manager();
  if (!name) return;
  const packages = missing.map((need) => packageOf(need, name));
  console.log(`Installing ${packages.join(', ')} ...`);
  for (const [i, words] of MANAGERS[name].entries()) {
    const last = i === MANAGERS[name].length - 1;
    await $({ nothrow: true, quiet: true, env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } })`${[
      ...words,
      ...(last ? packages : []),
    ]}`;
  }
}

function manager(): Manager | undefined {
  return (Object.keys(MANAGERS) as Manager[]).find((name) =>
    ['/usr/bin', '/sbin', '/usr/sbin', '/bin'].some((dir) => existsSync(`${dir}/${name}`)),
  );
}

function packageOf({ package: names }: Need, name: Manager | undefined): string {
  return (name && names[name]) ?? names.default;
}
