import { build, type Metafile, type Plugin } from 'esbuild';
import { expect, test } from 'vitest';
import { catalogPlugin } from '../../../scripts/catalog-plugin.ts';

/** Skips modules that are imported later, with `import()`. */
const WITHOUT_LATE: Plugin = {
  name: 'without-late',
  setup({ onResolve }) {
    onResolve({ filter: /^\./ }, ({ kind }) => (kind === 'dynamic-import' ? { external: true } : undefined));
  },
};

/** The modules loaded before any command runs. The catalog of profilers is a value, as in the build. */
async function loadedAtStart(): Promise<Metafile> {
  const { metafile } = await build({
    ...{ entryPoints: ['cli/main.ts'], bundle: true, write: false, metafile: true, logLevel: 'error' },
    ...{ platform: 'node', format: 'esm', packages: 'external', plugins: [WITHOUT_LATE, catalogPlugin()] },
  });
  return metafile;
}

async function importedAtStart(): Promise<string[]> {
  const { outputs } = await loadedAtStart();
  const imports = Object.values(outputs).flatMap((output) => output.imports);
  return imports.filter(({ kind }) => kind === 'import-statement').map(({ path }) => path);
}

test('the start loads commander and no other package', async () => {
  const packages = (await importedAtStart()).filter((path) => !path.startsWith('node:'));
  expect([...new Set(packages)]).toEqual(['commander']);
});

test('the start does not load code that starts child processes: that takes longer than printing a help text', async () => {
  expect(await importedAtStart()).not.toContain('node:child_process');
});

test('the start loads no profiler and no code that measures, reads a capture or renders', async () => {
  const files = Object.keys((await loadedAtStart()).inputs);
  expect(files).toContain('cli/formats/format-registry.ts');
  expect(files.filter((file) => /^bt\/profilers\//.test(file))).toEqual([]);
  expect(files.filter((file) => /^metrics\/(?!(units|errors)\.ts)/.test(file))).toEqual([]);
  expect(files.filter((file) => /^cli\/(formats|commands)\/\w+\/(?!roots\.ts)/.test(file))).toEqual([]);
});
