import { defineConfig } from 'vitest/config';
import { flamegraphClientVitePlugin } from '../scripts/flamegraph-client.ts';

export default defineConfig({
  test: {
    maxWorkers: '100%',
    projects: [
      userTests('unit', 60_000),
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

/** @param timeout only what hangs takes so long, also on a machine that is busy with other things */
function userTests(name: string, timeout: number) {
  return {
    plugins: [flamegraphClientVitePlugin()],
    test: {
      name,
      root: '.',
      include: [`test/${name}/**/*.test.ts`],
      testTimeout: timeout,
      hookTimeout: timeout,
      // To load all modules again for each file takes a third of the time.
      isolate: false,
    },
  };
}

/**
 * Tests on the kernel take turns, for they watch and load the same machine; those that say so run two at a time, for most of
 * their time is the start of bpftrace.
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
