import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { execa } from 'execa';
import { afterEach, beforeAll, inject } from 'vitest';
import { flamegraphClientPlugin } from '../../scripts/flamegraph-client.ts';
import { type FakeBpftrace, fakeBpftrace, type Run } from './bpftrace.ts';
import { removeEnded } from './processes.ts';

/** btprof, built for a machine with a fake bpftrace. */
export interface FakeCommand {
  /** Starts it. Commands that run bpftrace use the fake one. */
  readonly start: (fake: FakeBpftrace, words: readonly string[]) => Running;
}

export type Running = ReturnType<typeof starting>;

/** The command for the tests of one file. Each test has its own fake bpftrace. */
export function useCommand(ended: Parameters<typeof removeEnded>[1] = {}) {
  let command: FakeCommand;
  let fake: FakeBpftrace;
  beforeAll(async () => {
    command = await buildCommand();
  });
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
 * Builds the command as `npm run build` does, but with the host of `host.ts`. Test files share it.
 *
 * @param registry a module that replaces the profiler registry
 */
export async function buildCommand(registry = REGISTRY): Promise<FakeCommand> {
  const dir = join(inject('commands'), basename(dirname(registry)));
  if (!existsSync(dir)) await buildInto(dir, registry);
  return { start: (fake, words) => starting(join(dir, 'btprof.cjs'), fake, words) };
}

async function buildInto(dir: string, registry: string): Promise<void> {
  const beside = mkdtempSync(`${dir}-`);
  await build({
    entryPoints: ['test/fake/main.ts'],
    ...{ outfile: join(beside, 'bundle.cjs'), bundle: true, minify: true },
    ...{ platform: 'node', format: 'cjs', target: 'node20' },
    alias: { 'node:process': './cli/node-process.cjs' },
    define: { 'import.meta.url': '__filename' },
    plugins: [
      insteadOf('bt/driver/host.ts', 'test/fake/host.ts'),
      insteadOf(REGISTRY, registry),
      flamegraphClientPlugin(),
    ],
  });
  writeFileSync(join(beside, 'btprof.cjs'), STARTER);
  try {
    renameSync(beside, dir);
  } catch {
    rmSync(beside, { recursive: true }); // another worker was faster
  }
}

/** The first start leaves its compiled code for the others. To compile takes half the time of a start. */
const STARTER = `
const { readFileSync, writeFileSync, existsSync, renameSync } = require('node:fs');
const { Script } = require('node:vm');
const [filename, cache] = [__dirname + '/bundle.cjs', __dirname + '/bundle.cache'];
const source = '(function (require, module, exports, __filename) {' + readFileSync(filename, 'utf8') + '})';
const cachedData = existsSync(cache) ? readFileSync(cache) : undefined;
const script = new Script(source, { filename, ...(cachedData && { cachedData }) });
if (!cachedData)
  process.on('exit', () => {
    writeFileSync(cache + process.pid, script.createCachedData());
    renameSync(cache + process.pid, cache);
  });
script.runInThisContext()(require, module, exports, filename);
`;

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
