import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { binariesOf, hashOfSource, SOURCES } from '../../scripts/build-native.ts';
import { elfOf, memorySource } from './parsers/elf-files.ts';

describe.each(Object.keys(SOURCES))('%s', (source) => {
  test.each(['x64', 'arm64'])(
    'the binary for %s is built from these sources (npm run build:native)',
    async (arch) => {
      const { BINARIES } = await import(resolve(binariesOf(source)));
      const elf = elfOf(memorySource(Buffer.from(BINARIES[arch], 'base64')));
      expect(elf.buildId).toBe(hashOfSource(source));
    },
  );
});
