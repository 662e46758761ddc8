/**
 * `npm run build:native`: compiles our C programs for both architectures. For each source it writes a `NAME-binary.ts` with the
 * binaries. They are committed, because a profiled host may lack a compiler. The build ID of a binary is the hash of its
 * sources. Tests check that, and with gcc of version `COMPILER` that the bytes are those of a new build.
 *
 * Needs x86_64-linux-gnu-gcc and aarch64-linux-gnu-gcc, with the kernel headers (linux-libc-dev) for both.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { $ } from 'zx';

const RUNTIME = 'bt/native/runtime.h';
/** Each program, with the project headers that it includes. */
export const SOURCES: Readonly<Record<string, readonly string[]>> = {
  'bt/native/bpf-stats.c': [RUNTIME],
  'bt/native/hold.c': [RUNTIME],
  'cli/demo/demo.c': [RUNTIME, 'cli/demo/threads.h'],
};

/** The version of gcc that built the committed binaries. Another one makes other bytes. */
export const COMPILER = '12.2.0';

/** Architectures by Node's names for them. */
export const ARCHITECTURES = {
  x64: { tools: 'x86_64-linux-gnu', flags: [] },
  // Inlines atomic operations, because the programs link no library.
  arm64: { tools: 'aarch64-linux-gnu', flags: ['-mno-outline-atomics'] },
};

const FLAGS = [
  ...['-O1', '-Wall', '-Wextra', '-Werror', '-static', '-nostdlib', '-ffreestanding', '-fno-pie', '-no-pie'],
  // Complete stacks: every function has a frame, and tail calls stay calls.
  ...['-fno-omit-frame-pointer', '-mno-omit-leaf-frame-pointer', '-fno-optimize-sibling-calls'],
  ...['-fno-shrink-wrap', '-fno-stack-protector', '-fno-asynchronous-unwind-tables'],
  ...['-Wl,-z,noseparate-code', '-Wl,-z,noexecstack'],
];

export function hashOfSource(source: string): string {
  const hash = createHash('sha256').update(FLAGS.join(' '));
  for (const file of [source, ...(SOURCES[source] ?? [])]) hash.update(readFileSync(file));
  return hash.digest('hex');
}

/** The module with the binaries of a source. */
export function binariesOf(source: string): string {
  return source.replace(/\.c$/, '-binary.ts');
}

/** Compiles a source for one architecture. */
export async function compile(source: string, arch: keyof typeof ARCHITECTURES): Promise<Buffer> {
  const { tools, flags } = ARCHITECTURES[arch];
  const directory = mkdtempSync(join(tmpdir(), 'btprof-native-'));
  const out = join(directory, 'program');
  try {
    await $`${tools}-gcc ${FLAGS} ${flags} -Wl,--build-id=0x${hashOfSource(source)} -o ${out} ${source}`;
    await $`${tools}-strip --strip-debug --remove-section=.comment ${out}`;
    return readFileSync(out);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function moduleOf(source: string): Promise<string> {
  const entries: string[] = [];
  for (const arch of ['x64', 'arm64'] as const) {
    const binary = await compile(source, arch);
    entries.push(`  ${arch}:\n    '${binary.toString('base64')}',\n`);
  }
  return `/** Made of ${source} by npm run build:native: ELF files in base64, by process.arch. */\nexport const BINARIES: Readonly<Record<string, string>> = {\n${entries.join('')}};\n`;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  for (const source of Object.keys(SOURCES)) writeFileSync(binariesOf(source), await moduleOf(source));
}
