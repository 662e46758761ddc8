import { defineConfig } from 'vitest/config';
import { flamegraphClientVitePlugin } from '../scripts/flamegraph-client.ts';

export default defineConfig({
  test: {
    maxWorkers: '100%',
    projects: [
      userTests('unit', 60_000, ['test/fake/commands-directory.ts']),
      userTests('toolchain', 120_000),
      { test: { name: 'formats', root: '.', include: ['test/formats/**/*.test.ts'], testTimeout: 120_000 } },
      {
        plugins: [flamegraphClientVitePlugin()],
        test: {
          name: 'browser',
          root: '.',
          include: ['test/browser/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      kernelTests('live'),
      kernelTests('versions'),
    ],
  },
});

/** @param timeout applies only to tests that hang, even on a busy machine */
function userTests(name: string, timeout: number, globalSetup: string[] = []) {
  return {
    plugins: [flamegraphClientVitePlugin()],
    test: {
      name,
      root: '.',
      include: [`test/${name}/**/*.test.ts`],
      globalSetup,
      testTimeout: timeout,
      hookTimeout: timeout,
      // Isolation would load all modules again for each file, which takes a third of the time.
      isolate: false,
    },
  };
}

/**
 * Tests on the kernel take turns, because they watch and load the same machine. Tests marked concurrent run two at a time,
 * because most of their time is the start of bpftrace.
 */
function kernelTests(name: string) {
  return {
    test: {
      name,
      root: '.',
      include: [`test/${name}/**/*.test.ts`],
      globalSetup: ['test/live/setup.ts'],
      fileParallelism: false,
      maxConcurrency: 2,
      testTimeout: 120_000,
    },
  };
}
