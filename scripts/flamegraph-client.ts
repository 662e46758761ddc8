/** The code that runs in the page of `--format flamegraph`, as text to embed in the page. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

const DIRECTORY = new URL('../cli/formats/flamegraph/client/', import.meta.url);
const MODULE = 'virtual:flamegraph-client';

export interface FlamegraphClient {
  readonly script: string;
  readonly style: string;
}

/** Bundles and minifies script and style. */
export async function bundleFlamegraphClient(): Promise<FlamegraphClient> {
  const [script, style] = await Promise.all([bundled('start.ts'), bundled('style.css')]);
  return { script, style };
}

async function bundled(file: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(file, DIRECTORY))],
    ...{ bundle: true, minify: true, write: false, format: 'iife', legalComments: 'none' },
    // The first versions with DecompressionStream and oklch colours.
    target: ['chrome111', 'firefox113', 'safari16.4'],
  });
  return (outputFiles[0]?.text ?? '').trim();
}

/** Plugin for esbuild: resolves `import client from 'virtual:flamegraph-client'`. */
export function flamegraphClientPlugin(): Plugin {
  return {
    name: MODULE,
    setup(build) {
      build.onResolve({ filter: /^virtual:flamegraph-client$/ }, () => ({ path: MODULE, namespace: MODULE }));
      build.onLoad({ filter: /.*/, namespace: MODULE }, async () => ({ contents: await moduleText() }));
    },
  };
}

/** The same plugin for vite. */
export function flamegraphClientVitePlugin() {
  return {
    name: MODULE,
    resolveId: (id: string) => (id === MODULE ? `\0${MODULE}` : undefined),
    load: (id: string) => (id === `\0${MODULE}` ? moduleText() : undefined),
  };
}

async function moduleText(): Promise<string> {
  return `export default ${JSON.stringify(await bundleFlamegraphClient())};`;
}

/** The view as the command has it, for scripts that run unbundled code. */
export async function loadFlamegraphView(): Promise<typeof import('../cli/formats/flamegraph/html.ts')> {
  const dir = mkdtempSync(join(tmpdir(), 'btprof-view-'));
  const outfile = join(dir, 'view.mjs');
  try {
    await build({
      entryPoints: [fileURLToPath(new URL('../cli/formats/flamegraph/html.ts', import.meta.url))],
      ...{ outfile, bundle: true, platform: 'node', format: 'esm', plugins: [flamegraphClientPlugin()] },
      banner: {
        js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
      },
    });
    return await import(outfile);
  } finally {
    rmSync(dir, { recursive: true });
  }
}
