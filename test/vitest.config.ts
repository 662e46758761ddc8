import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', root: '.', include: ['test/unit/**/*.test.ts'] } },
      {
        test: {
          name: 'live',
          root: '.',
          include: ['test/live/**/*.test.ts'],
          globalSetup: ['test/live/setup.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
        },
      },
    ],
  },
});
