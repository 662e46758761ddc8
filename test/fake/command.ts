import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { flamegraphClientPlugin } from '../../scripts/flamegraph-client.ts';
import { type FakeBpftrace, fakeBpftrace, type Run } from './bpftrace.ts';
import { removeEnded } from './processes.ts';

/** btprof, built for a machine with a fake bpftrace. */
export interface FakeCommand {
  /** Starts it. Commands that run bpftrace use the fake one. */
  readonly start: (fake: FakeBpftrace, words: readonly string[]) => Running;
  readonly remove: () => void;
}

export type Running = ReturnType<typeof starting>;

/** The command for the tests of one file. Each test has its own fake bpftrace. */
export function useCommand(ended: Parameters<typeof removeEnded>[1] = {}) {
  let command: FakeCommand;
  let fake: FakeBpftrace;
  beforeAll(async () => {
    command = await buildCommand();
  });
  afterAll(() => command.remove());
  afterEach(() => removeEnded(fake, ended));
  return {
    /** Creates the fake bpftrace of a test. */
    replay: (run: Run, version?: string) => {
      fake = fakeBpftrace([run], version);
      return fake;
    },
    /** Starts the command with this fake. */
    start: (words: readonly string[]) => command.start(fake, words),
  };
}

/**
 * Builds the command as `npm run build` does, but with the host of `host.ts`.
 *
 * @param registry a module that replaces the profiler registry
 */
export async function buildCommand(registry = REGISTRY): Promise<FakeCommand> {
  const dir = mkdtempSync(join(tmpdir(), 'btprof-command-'));
  const outfile = join(dir, 'btprof.mjs');
  await build({
    entryPoints: ['test/fake/main.ts'],
    ...{ outfile, bundle: true, platform: 'node', format: 'esm', target: 'node20', minify: true },
    alias: { 'node:process': './cli/node-process.cjs' },
    plugins: [
      insteadOf('bt/driver/host.ts', 'test/fake/host.ts'),
      insteadOf(REGISTRY, registry),
      flamegraphClientPlugin(),
    ],
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);",
    },
  });
  return {
    start: (fake, words) => starting(outfile, fake, words),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

function starting(
  file: string,
  { dir, path, requestFile }: FakeBpftrace,
  [command = '', ...rest]: readonly string[],
) {
  const words = [file, command, ...(PROFILING.includes(command) ? ['--bpftrace', path] : []), ...rest];
  const env = {
    FAKE_REQUEST_FILE: requestFile,
    FAKE_TRACEFS: join(dir, 'tracing'),
    XDG_CACHE_HOME: dir,
  };
  return execa(process.execPath, words, { reject: false, stripFinalNewline: false, stdin: 'ignore', env });
}

/** Commands that accept `--bpftrace`. */
const PROFILING = ['run', 'attach', 'system', 'script', 'doctor', 'demo'];

const REGISTRY = 'bt/profilers/profiler-registry.ts';

/** Replaces a module for all importers, except the replacement itself, which gets the original. */
function insteadOf(module: string, fake: string): Plugin {
  const [real, path] = [resolve(module), resolve(fake)];
  return {
    name: `instead of ${module}`,
    setup({ onResolve }) {
      onResolve({ filter: /^\.{1,2}\// }, ({ path: imported, resolveDir, importer }) =>
        resolve(resolveDir, imported) === real && importer !== path ? { path } : undefined,
      );
    },
  };
}
