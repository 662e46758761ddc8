import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', root: '.', include: ['test/unit/**/*.test.ts'] } },
      kernelTests('live'),
      kernelTests('versions'),
    ],
  },
});

/** Tests on the kernel take turns, for they watch and load the same machine. */
function kernelTests(name: string) {
  return {
    test: {
      name,
      root: '.',
      include: [`test/${name}/**/*.test.ts`],
      globalSetup: ['test/live/setup.ts'],
      fileParallelism: false,
      testTimeout: 120_000,
    },
  };
}
