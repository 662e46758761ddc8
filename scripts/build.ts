/** Bundles the command into dist/btprof.mjs: one file, no node_modules needed. */
import { chmodSync } from 'node:fs';
import { resolve } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { type BuildOptions, build, type OnResolveResult, type Plugin } from 'esbuild';
import { catalogPlugin } from './catalog-plugin.ts';
import { flamegraphClientPlugin } from './flamegraph-client.ts';

const COMMON = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  legalComments: 'none',
  minifyWhitespace: true,
  minifySyntax: true,
  alias: { 'node:process': './cli/node-process.cjs' },
} satisfies BuildOptions;

/** Modules that both pieces must share: errors are recognised by class, and bpftrace is asked for its version once. */
const SHARED = ['metrics/errors.ts', 'bt/driver/bpftrace-version.ts'].map((path) => resolve(path));
const ENTRY = 'cli/main.ts';

const outfile = 'dist/btprof.mjs';
const late = await lateModules();
await build({
  ...COMMON,
  entryPoints: [ENTRY],
  outfile,
  format: 'esm',
  plugins: [packedPlugin(late), catalogPlugin(), noExecutablesPlugin()],
  // Bundled CommonJS packages ask for Node's own modules by require.
  banner: {
    js: "#!/usr/bin/env node\nimport { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);",
  },
});
chmodSync(outfile, 0o755);

/** The modules that the start imports late, with `import()`: the actions of the commands, and what renders the formats. */
async function lateModules(): Promise<string[]> {
  const found = new Set<string>();
  const collect = onLateImport((path) => {
    found.add(path);
    return { external: true };
  });
  await build({
    ...COMMON,
    entryPoints: [ENTRY],
    write: false,
    format: 'esm',
    plugins: [collect, catalogPlugin()],
  });
  return [...found].sort();
}

function onLateImport(resolveTo: (path: string) => OnResolveResult): Plugin {
  return {
    name: 'late-imports',
    setup({ onResolve }) {
      onResolve({ filter: /^\.{1,2}\// }, ({ kind, path, resolveDir }) =>
        kind === 'dynamic-import' ? resolveTo(resolve(resolveDir, path)) : undefined,
      );
    },
  };
}

/**
 * Packs the late modules, with everything that they import, into one compressed string. It is unpacked and compiled when
 * the first of them is imported: without this, Node would parse all of that code at every start.
 */
function packedPlugin(modules: readonly string[]): Plugin {
  const toPiece = onLateImport((path) => ({ path: `${modules.indexOf(path)}`, namespace: 'late' }));
  return {
    name: 'packed',
    setup(build) {
      toPiece.setup(build);
      const { onResolve, onLoad } = build;
      onLoad({ filter: /.*/, namespace: 'late' }, ({ path }) => ({
        contents: `module.exports = require('packed').modules[${path}]();`,
      }));
      onResolve({ filter: /^packed$/ }, ({ path }) => ({ path, namespace: 'packed' }));
      onLoad({ filter: /.*/, namespace: 'packed' }, async () => ({
        contents: unpacker(await bundled(modules)),
        resolveDir: '.',
      }));
    },
  };
}

/** One CommonJS module that exports a function for each of the modules, which loads it. */
async function bundled(modules: readonly string[]): Promise<string> {
  const loaders = modules.map((path) => `() => require(${JSON.stringify(path)})`);
  const { outputFiles } = await build({
    ...COMMON,
    stdin: { contents: `module.exports = [${loaders}];`, resolveDir: '.' },
    write: false,
    format: 'cjs',
    plugins: [sharedPlugin(), englishOnlyPlugin(), flamegraphClientPlugin()],
  });
  return outputFiles[0]?.text ?? '';
}

function unpacker(code: string): string {
  const packed = brotliCompressSync(Buffer.from(code)).toString('base64');
  const imports = SHARED.map((path, i) => `import * as shared${i} from ${JSON.stringify(path)};`);
  const shared = SHARED.map((_, i) => `shared${i}`);
  return `
    ${imports.join('\n')}
    const { compileFunction } = require('node:vm');
    const { brotliDecompressSync } = require('node:zlib');
    const code = brotliDecompressSync(Buffer.from('${packed}', 'base64')).toString();
    const module = { exports: {} };
    const shared = [${shared}];
    const load = (name) => (name.startsWith('shared:') ? shared[name.slice(7)] : require(name));
    compileFunction(code, ['module', 'require'], { filename: 'btprof' })(module, load);
    export const modules = module.exports;`;
}

/** Leaves the shared modules out of a piece, which asks for them by number. */
function sharedPlugin(): Plugin {
  return {
    name: 'shared',
    setup({ onResolve }) {
      onResolve({ filter: /^\./ }, ({ path, resolveDir }) => {
        const index = SHARED.indexOf(resolve(resolveDir, path));
        return index < 0 ? undefined : { path: `shared:${index}`, external: true };
      });
    },
  };
}

/** commander loads `node:child_process` for commands that are programs of their own. btprof has none, and each start would pay. */
function noExecutablesPlugin(): Plugin {
  return {
    name: 'no-executables',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^node:child_process$/ }, ({ path, importer }) =>
        importer.includes('/commander/') ? { path, namespace: 'no-executables' } : undefined,
      );
      onLoad({ filter: /.*/, namespace: 'no-executables' }, () => ({ contents: '' }));
    },
  };
}

/** zod brings its messages in fifty languages. */
function englishOnlyPlugin(): Plugin {
  return {
    name: 'english-only',
    setup({ onLoad }) {
      onLoad({ filter: /zod\/v4\/locales\/index\.js$/ }, () => ({
        contents: 'export { default as en } from "./en.js";',
      }));
    },
  };
}
