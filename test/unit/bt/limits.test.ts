import { describe, expect, test } from 'vitest';
import { composeMaps, type Plan } from '../../../bt/compose.ts';
import { dialectFor } from '../../../bt/dialect.ts';
import { kernelBytes, type Limits, limitsFor, roomOf, type SizingInput } from '../../../bt/limits.ts';
import type { KernelMap } from '../../../bt/program.ts';
import { chosen } from './programs.ts';

const MiB = 2 ** 20;
const GiB = 2 ** 30;
const TiB = 2 ** 40;

/** Memory in bytes and CPUs of realistic hosts. */
const HOSTS: [number, number][] = [
  [512 * MiB, 1],
  [512 * MiB, 2],
  [GiB, 1],
  [GiB, 2],
  [2 * GiB, 2],
  [4 * GiB, 2],
  [8 * GiB, 16],
  [24 * GiB, 2],
  [24 * GiB, 16],
  [64 * GiB, 16],
  [64 * GiB, 128],
  [512 * GiB, 128],
  [2 * TiB, 16],
  [2 * TiB, 128],
];

/** The maps of the default plan, on a host with enough memory for all that is wanted. */
function sizingOf(
  version: string,
  changes: Partial<SizingInput> = {},
  plan: Partial<Plan> = {},
): SizingInput {
  const dialect = dialectFor(version);
  const defaults = {
    profilers: chosen('offcpu,syscalls'),
    stacks: true,
    stackDepth: 127,
    children: true,
  };
  const maps = composeMaps(
    { ...defaults, ...plan },
    { dialect, arch: 'x86_64', btf: true, follow: { kind: 'named', by: 42, children: true }, self: 42 },
  );
  const { stackStore, statsSlots } = dialect;
  const host = { stackDepth: 127, memoryBytes: 24 * GiB, cpus: 2, threads: 0 };
  return { maps, stackStore, statsSlots, ...host, ...changes };
}

describe.each([
  ['shared stacks, and stats() in two entries', '0.21.3', 2],
  ['shared stacks', '0.24.0', 1],
  ['inline stacks', '0.25.0', 1],
])('with %s', (_, version, slots) => {
  describe.each(HOSTS)('on a host with %i bytes and %i CPUs', (memoryBytes, cpus) => {
    test.each([0, 1009, 100_000])(
      'and %i threads, maps use less than a twentieth of the memory',
      (threads) => {
        const sizing = sizingOf(version, { memoryBytes, cpus, threads });
        const limits = limitsFor(sizing);
        expect(kernelBytes(sizing, limits)).toBeLessThan(0.05 * memoryBytes);
        expect(Math.log2(limits.mapEntries) % 1).toBe(0);
        expect(Math.log2(limits.bufferPages) % 1).toBe(0);
      },
    );

    test('maps have the wanted size, or the largest that fits', () => {
      const sizing = sizingOf(version, { memoryBytes, cpus });
      const limits = limitsFor(sizing);
      const twice = kernelBytes(sizing, { ...limits, mapEntries: 2 * limits.mapEntries });
      expect(limits.mapEntries === 65_536 * slots || twice >= 0.05 * memoryBytes).toBe(true);
    });

    test('stacks are cut only to allow 4,096 entries, and no more than necessary', () => {
      const sizing = sizingOf(version, { memoryBytes, cpus });
      const { mapEntries, stackDepth, ...settings } = limitsFor(sizing);
      expect(mapEntries >= 4096 || stackDepth === 8).toBe(true);
      const deeper = [127, 64, 32, 16, 8].filter((depth) => depth > stackDepth);
      for (const depth of deeper) {
        const bytes = kernelBytes(sizing, { ...settings, mapEntries: 4096, stackDepth: depth });
        expect(bytes).toBeGreaterThanOrEqual(0.05 * memoryBytes);
      }
    });
  });

  test('2 CPUs and 24 GiB allow 65,536 keys at full depth', () => {
    expect(limitsFor(sizingOf(version))).toEqual({
      cpus: 2,
      mapEntries: 65_536 * slots,
      stackDepth: 127,
      bufferPages: 1024,
    });
  });

  test('many threads get more entries if memory allows', () => {
    const entries = (threads: number, memoryBytes: number) =>
      limitsFor(sizingOf(version, { threads, memoryBytes, cpus: 16 })).mapEntries;
    expect(entries(4096, 512 * GiB)).toBe(65_536 * slots);
    expect(entries(4097, 512 * GiB)).toBe(131_072 * slots);
    expect(entries(100_000, 512 * GiB)).toBe(2_097_152 * slots);
    expect(entries(100_000, 24 * GiB)).toBeGreaterThan(65_536);
    expect(entries(100_000, GiB)).toBe(entries(0, GiB));
  });

  test('more CPUs mean fewer entries', () => {
    const entries = (cpus: number) => limitsFor(sizingOf(version, { cpus, memoryBytes: 4 * GiB })).mapEntries;
    expect(entries(128)).toBeLessThan(entries(2));
  });

  test('the minimum is 64 entries with the shallowest stacks', () => {
    const sizing = sizingOf(version, { memoryBytes: 16 * MiB, threads: 100_000 });
    expect(limitsFor(sizing)).toMatchObject({ mapEntries: 64, stackDepth: 8 });
  });
});

test.each([
  ['shared', '0.17.0', 512 * MiB, 2048, 8],
  ['shared', '0.17.0', GiB, 4096, 32],
  ['shared', '0.17.0', 2 * GiB, 16_384, 64],
  ['inline', '0.27.0', 512 * MiB, 4096, 64],
  ['inline', '0.27.0', 256 * MiB, 4096, 16],
])(
  '%s stacks of bpftrace %s on 2 CPUs and %i bytes: %i entries, %i frames',
  (...[, version, memoryBytes, mapEntries, stackDepth]) => {
    expect(limitsFor(sizingOf(version, { memoryBytes }))).toMatchObject({ mapEntries, stackDepth });
  },
);

describe('a request from the user', () => {
  test.each([1, 5000, 300_000])('for %i entries is obeyed', (mapEntries) => {
    expect(limitsFor(sizingOf('0.17.0', { mapEntries }))).toMatchObject({ mapEntries, stackDepth: 127 });
  });

  test('for more entries than fit is obeyed with shallower stacks', () => {
    const sizing = sizingOf('0.27.0', { mapEntries: 131_072, memoryBytes: 8 * GiB });
    const limits = limitsFor(sizing);
    expect(limits).toMatchObject({ mapEntries: 131_072, stackDepth: 32 });
    expect(kernelBytes(sizing, limits)).toBeLessThan(0.05 * 8 * GiB);
  });

  test('is obeyed whatever memory it takes', () => {
    const sizing = sizingOf('0.27.0', { mapEntries: 2 ** 26, memoryBytes: GiB });
    expect(limitsFor(sizing)).toMatchObject({ mapEntries: 2 ** 26, stackDepth: 8 });
  });

  test.each([
    [127, 8],
    [20, 8],
    [8, 8],
    [5, 5],
  ])('for a depth of %i limits the depth, which is %i on a host of 512 MiB', (stackDepth, depth) => {
    expect(limitsFor(sizingOf('0.17.0', { stackDepth, memoryBytes: 512 * MiB })).stackDepth).toBe(depth);
    expect(limitsFor(sizingOf('0.17.0', { stackDepth })).stackDepth).toBe(stackDepth);
  });

  test('for no stacks allows more entries', () => {
    const memoryBytes = GiB;
    const withStacks = limitsFor(sizingOf('0.27.0', { memoryBytes }));
    const without = limitsFor(sizingOf('0.27.0', { memoryBytes }, { stacks: false }));
    expect(without.mapEntries).toBeGreaterThan(withStacks.mapEntries);
    expect(without.stackDepth).toBe(127);
  });
});

describe('the maximum number of keys of a map', () => {
  const roomFor = (version: string, mapEntries: number) => {
    const sizing = sizingOf(version, { mapEntries });
    return roomOf(sizing, limitsFor(sizing));
  };

  test('is the same for all maps, but half for stats() before 0.22', () => {
    const room = roomFor('0.21.3', 65_536);
    expect(room).toMatchObject({ '@waits': 32_768, '@extremes': 65_536, '@off': 65_536, '@full': 65_536 });
    expect(roomFor('0.22.0', 65_536)).toEqual({ ...room, '@waits': 65_536 });
  });

  test('is a whole number', () => {
    expect(roomFor('0.17.0', 5001)['@waits']).toBe(2500);
  });
});

test.each([
  [1, 1024],
  [16, 1024],
  [17, 2048],
  [24, 2048],
  [128, 8192],
])('the buffer for events of %i CPUs has %i pages: 4 MiB, or 64 pages per CPU', (cpus, bufferPages) => {
  expect(limitsFor(sizingOf('0.17.0', { cpus })).bufferPages).toBe(bufferPages);
});

/** The kernel reports 96 bytes where this test adds 80 + 8 + 8. */
describe('the memory of a map', () => {
  const LIMITS: Limits = { mapEntries: 1000, stackDepth: 127, cpus: 2, bufferPages: 0 };
  const map = (changes: Partial<KernelMap>): KernelMap => ({
    name: '@x',
    role: 'result',
    key: 1,
    value: 1,
    ...changes,
  });

  test.each<[string, SizingInput['stackStore'], Partial<KernelMap>, number]>([
    ['one word each', 'shared', {}, 80 + 8 + 8],
    ['a value for each of 2 CPUs, and a pointer to them', 'shared', { perCpu: true }, 80 + 8 + 8 + 2 * 8],
    ['2 words for each CPU', 'inline', { key: 2, value: 2, perCpu: true }, 80 + 16 + 8 + 2 * 16],
    ['a string of 64 bytes', 'inline', { key: 8, perCpu: true }, 80 + 64 + 8 + 2 * 8],
    ['a stack inline for a key', 'inline', { key: 0, stacksInKey: 1 }, 80 + (127 + 2) * 8 + 8],
    [
      'a stack of 32 frames',
      'inline',
      { key: 0, stacksInKey: 1, short: { frames: 32, from: 64 } },
      80 + (32 + 2) * 8 + 8,
    ],
    ['2 stacks inline in the key', 'inline', { stacksInKey: 2 }, 80 + 8 + 2 * (127 + 2) * 8 + 8],
    ['2 stacks inline in the value', 'inline', { stacksInValue: 2 }, 80 + 8 + 8 + 2 * (127 + 2) * 8],
  ])('with %s is as calculated by hand', (_, stackStore, changes, bytes) => {
    expect(kernelBytes({ maps: [map(changes)], stackStore }, LIMITS)).toBe(1000 * bytes);
  });

  test('for short stacks is 0 if stacks are not much longer', () => {
    const maps = [map({ key: 0, stacksInKey: 1, short: { frames: 32, from: 128 } })];
    expect(kernelBytes({ maps, stackStore: 'inline' }, LIMITS)).toBe(0);
  });

  test('without keys is that of one entry', () => {
    expect(kernelBytes({ maps: [map({ key: 0 })], stackStore: 'inline' }, LIMITS)).toBe(80 + 8 + 8);
  });

  test('for shared stacks is that of their ids plus 131,072 stacks', () => {
    const maps = [map({ stacksInKey: 2 }), map({ stacksInValue: 2 })];
    const stacks = 131_072 * (127 * 8 + 80);
    expect(kernelBytes({ maps, stackStore: 'shared' }, LIMITS)).toBe(2 * 1000 * (96 + 2 * 24) + stacks);
  });

  test('adds up, together with the event buffer', () => {
    const maps = [map({}), map({ perCpu: true })];
    const bytes = 1000 * (96 + 112) + 1024 * 4096;
    expect(kernelBytes({ maps, stackStore: 'inline' }, { ...LIMITS, bufferPages: 1024 })).toBe(bytes);
  });
});
