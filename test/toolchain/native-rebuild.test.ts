import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { $ } from 'zx';
import { ARCHITECTURES, binariesOf, COMPILER, compile, SOURCES } from '../../scripts/build-native.ts';
import { cases } from '../effort.ts';

const gcc = (arch: keyof typeof ARCHITECTURES) => `${ARCHITECTURES[arch].tools}-gcc`;

/** Only that compiler makes the same bytes. */
function isOurCompiler(arch: keyof typeof ARCHITECTURES): boolean {
  const { stdout } = $.sync({ nothrow: true, quiet: true })`${gcc(arch)} -dumpfullversion`;
  return stdout.trim() === COMPILER;
}

describe.each(cases<keyof typeof ARCHITECTURES>(['x64'], ['arm64']))('for %s', (arch) => {
  test.skipIf(!isOurCompiler(arch)).each(Object.keys(SOURCES))(
    'the committed binary of %s is, byte for byte, what gcc makes of it (npm run build:native)',
    async (source) => {
      const { BINARIES } = await import(resolve(binariesOf(source)));
      const built = await compile(source, arch);
      expect(built.equals(Buffer.from(BINARIES[arch], 'base64'))).toBe(true);
    },
  );
});
