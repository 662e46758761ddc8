/**
 * Bundles the command into dist/btprof.mjs: one file, no node_modules needed. Beside it are the licenses of the packages in it.
 */
import { chmodSync, writeFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { type BuildOptions, build, type OnResolveResult, type Plugin } from 'esbuild';
import { catalogPlugin } from './catalog-plugin.ts';
import { flamegraphClientPlugin } from './flamegraph-client.ts';
import { licenseNotices } from './license-notices.ts';

const COMMON = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  legalComments: 'none',
  minifyWhitespace: true,
  minifySyntax: true,
  alias: { 'node:process': './cli/node-process.cjs' },
} satisfies BuildOptions;

const ENTRY = 'cli/main.ts';

const outfile = 'dist/btprof.mjs';
const { early, late } = await findModules();
const bundled = new Set<string>();
const { metafile } = await build({
  ...COMMON,
  metafile: true,
  entryPoints: [ENTRY],
  outfile,
  format: 'esm',
  plugins: [packedPlugin(), catalogPlugin(), noExecutablesPlugin()],
  // Bundled CommonJS packages load Node's own modules with require.
  banner: {
    js: "#!/usr/bin/env node\nimport { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);",
  },
});
chmodSync(outfile, 0o755);
for (const file of Object.keys(metafile.inputs)) bundled.add(file);
writeFileSync('dist/THIRD-PARTY-LICENSES.txt', licenseNotices([...bundled]));

/**
 * Finds the modules that a start loads, and those that it loads later with `import()`: the actions of the commands, and the
 * code that renders the formats.
 */
async function findModules(): Promise<Record<'early' | 'late', readonly string[]>> {
  const found = new Set<string>();
  const collect = onLateImport((path) => {
    found.add(path);
    return { external: true };
  });
  const { metafile } = await build({
    ...COMMON,
    entryPoints: [ENTRY],
    write: false,
    metafile: true,
    format: 'esm',
    plugins: [collect, catalogPlugin()],
  });
  return { early: Object.keys(metafile.inputs), late: [...found].sort() };
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
 * Packs the late modules, with everything that they import, into one compressed string. It is unpacked and compiled when the
 * first of them is imported. Otherwise Node would parse all of that code at every start.
 */
function packedPlugin(): Plugin {
  const toPiece = onLateImport((path) => ({ path: `${late.indexOf(path)}`, namespace: 'late' }));
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
        contents: unpacker(await bundledLate()),
        resolveDir: '.',
      }));
    },
  };
}

interface LateCode {
  readonly code: string;
  /** Startup modules that the late code imports. */
  readonly shared: readonly string[];
}

/** Makes one CommonJS module that exports one function per late module; the function loads that module. */
async function bundledLate(): Promise<LateCode> {
  const loaders = late.map((path) => `() => require(${JSON.stringify(path)})`);
  const shared = new Set<string>();
  const { outputFiles, metafile } = await build({
    ...COMMON,
    stdin: { contents: `module.exports = [${loaders}];`, resolveDir: '.' },
    write: false,
    metafile: true,
    format: 'cjs',
    plugins: [sharedPlugin(shared), englishOnlyPlugin(), flamegraphClientPlugin()],
  });
  for (const file of Object.keys(metafile.inputs)) bundled.add(file);
  return { code: outputFiles[0]?.text ?? '', shared: [...shared] };
}

function unpacker({ code, shared }: LateCode): string {
  const packed = brotliCompressSync(Buffer.from(code)).toString('base64');
  const entries = shared.map((path) => `'shared:${path}': () => require('./${path}')`);
  return `
    const { compileFunction } = require('node:vm');
    const { brotliDecompressSync } = require('node:zlib');
    const code = brotliDecompressSync(Buffer.from('${packed}', 'base64')).toString();
    const module = { exports: {} };
    const shared = {${entries}};
    const load = (name) => shared[name]?.() ?? require(name);
    compileFunction(code, ['module', 'require'], { filename: 'btprof' })(module, load);
    export const modules = module.exports;`;
}

/**
 * Excludes startup modules from the late code, which gets them from the start. There must be one copy only: errors are
 * recognised by class, and the version of bpftrace is read once.
 */
function sharedPlugin(found: Set<string>): Plugin {
  return {
    name: 'shared',
    setup({ onResolve }) {
      onResolve({ filter: /^\./ }, ({ path, resolveDir }) => {
        const file = relative('.', resolve(resolveDir, path));
        if (!early.includes(file)) return undefined;
        found.add(file);
        return { path: `shared:${file}`, external: true };
      });
    },
  };
}

/**
 * commander loads `node:child_process` for commands that are separate programs. btprof has none, so no start should pay for it.
 */
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

/** zod ships its messages in fifty languages. */
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
