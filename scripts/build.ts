/** Bundles the command into dist/btprof.mjs: one file, no node_modules needed. */
import { chmodSync } from 'node:fs';
import { build } from 'esbuild';
import { flamegraphClientPlugin } from './flamegraph-client.ts';

const outfile = 'dist/btprof.mjs';
await build({
  entryPoints: ['cli/main.ts'],
  outfile,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  legalComments: 'none',
  plugins: [flamegraphClientPlugin()],
  alias: { 'node:process': './cli/node-process.cjs' },
  // Bundled CommonJS packages ask for Node's own modules by require.
  banner: {
    js: "#!/usr/bin/env node\nimport { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);",
  },
});
chmodSync(outfile, 0o755);
