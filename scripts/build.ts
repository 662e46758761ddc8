/** Bundles the command into dist/btprof.mjs: one file, no node_modules needed. */
import { chmodSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { type BuildOptions, build, type Plugin } from 'esbuild';
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

/** What both pieces have to share: errors are told apart by their classes. */
const SHARED = 'btprof:errors';
const ERRORS = fileURLToPath(new URL('../bt/errors.ts', import.meta.url));

const outfile = 'dist/btprof.mjs';
await build({
  ...COMMON,
  entryPoints: ['cli/main.ts'],
  outfile,
  format: 'esm',
  plugins: [packedCommandsPlugin()],
  // Bundled CommonJS packages ask for Node's own modules by require.
  banner: {
    js: "#!/usr/bin/env node\nimport { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);",
  },
});
chmodSync(outfile, 0o755);

/**
 * In place of `import('./commands.ts')` comes all that it leads to as one compressed string, which is unpacked and compiled
 * when a command runs: Node would look through all of that code at every start.
 */
function packedCommandsPlugin(): Plugin {
  return {
    name: 'packed-commands',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^\.\/commands\.ts$/ }, ({ path }) => ({ path, namespace: 'packed' }));
      onLoad({ filter: /.*/, namespace: 'packed' }, async () => ({
        contents: unpacker(await bundledCommands()),
        resolveDir: '.',
      }));
    },
  };
}

async function bundledCommands(): Promise<string> {
  const { outputFiles } = await build({
    ...COMMON,
    entryPoints: ['cli/commands.ts'],
    write: false,
    format: 'cjs',
    plugins: [sharedErrorsPlugin(), englishOnlyPlugin(), flamegraphClientPlugin()],
  });
  return outputFiles[0]?.text ?? '';
}

function unpacker(code: string): string {
  const packed = brotliCompressSync(Buffer.from(code)).toString('base64');
  return `
    import * as errors from ${JSON.stringify(ERRORS)};
    import { compileFunction } from 'node:vm';
    import { brotliDecompressSync } from 'node:zlib';
    const code = brotliDecompressSync(Buffer.from('${packed}', 'base64')).toString();
    const module = { exports: {} };
    const load = (name) => (name === '${SHARED}' ? errors : require(name));
    compileFunction(code, ['module', 'require'], { filename: 'btprof' })(module, load);
    export const { profile, report, diff, script, doctor, demo } = module.exports;`;
}

function sharedErrorsPlugin(): Plugin {
  return {
    name: 'shared-errors',
    setup({ onResolve }) {
      onResolve({ filter: /\/errors\.ts$/ }, () => ({ path: SHARED, external: true }));
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
