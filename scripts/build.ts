/** Bundles the command into dist/btprof.mjs: one file, no node_modules needed. */
import { chmodSync } from 'node:fs';
import { resolve } from 'node:path';
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

/** What both pieces have to share: errors are told apart by their classes, and bpftrace is asked for its version once. */
const SHARED = ['bt/errors.ts', 'bt/driver/version-question.ts'].map((path) =>
  fileURLToPath(new URL(`../${path}`, import.meta.url)),
);

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
    import { compileFunction } from 'node:vm';
    import { brotliDecompressSync } from 'node:zlib';
    const code = brotliDecompressSync(Buffer.from('${packed}', 'base64')).toString();
    const module = { exports: {} };
    const shared = [${shared}];
    const load = (name) => (name.startsWith('shared:') ? shared[name.slice(7)] : require(name));
    compileFunction(code, ['module', 'require'], { filename: 'btprof' })(module, load);
    export const { profile, report, diff, script, doctor, demo } = module.exports;`;
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
