import { gunzipSync } from 'node:zlib';
import { type Label, type Location, Profile as PprofProfile, type Sample } from 'pprof-format';
import { describe, expect, it } from 'vitest';
import type { Offcpu } from '../../../../../bt/profilers/offcpu/off-schema.ts';
import { pprofView } from '../../../../../cli/formats/pprof/pprof-profile.ts';
import type { Profile } from '../../../../../metrics/schema.ts';
import { recorded } from '../../../metrics/recorded-profiles.ts';
import { constructedProfile, FRAMES } from '../constructed-profile.ts';
import { resultOf } from '../result-of.ts';
import { expectedTotals, type Totals } from './pprof-totals.ts';

function decoded(profile: Profile): PprofProfile {
  return PprofProfile.decode(gunzipSync(pprofView(resultOf(profile))));
}

function totalsOf({ sampleType, sample, stringTable }: PprofProfile): Totals {
  const sums = sampleType.map(({ type }, i): [string, bigint] => [
    stringTable.strings[Number(type)] ?? '',
    sample.reduce((sum, { value }) => sum + BigInt(value[i] ?? 0), 0n),
  ]);
  return Object.fromEntries(sums);
}

/** Finds a row of a table by its id. */
function byId<T extends { id: number | bigint }>(rows: readonly T[], id: number | bigint | undefined): T {
  const found = rows.find((row) => Number(row.id) === Number(id));
  if (!found) throw new Error(`no row ${id}`);
  return found;
}

function reader(file: PprofProfile) {
  const text = (index: number | bigint) => file.stringTable.strings[Number(index)] ?? '';
  const linesOf = ({ line }: Location) =>
    line.map(({ functionId, line }) => {
      const { name, filename } = byId(file.function, functionId);
      return `${text(name)} ${text(filename)}:${line}`;
    });
  const locationsOf = (sample: Sample | undefined) =>
    (sample?.locationId ?? []).map((id) => byId(file.location, id));
  const labelOf = ({ key, str, num }: Label) => [text(key), str ? text(str) : Number(num)];
  const mapping = (name: string) => file.mapping.filter(({ filename }) => text(filename) === name);
  return { text, linesOf, locationsOf, mapping, labels: (s?: Sample) => (s?.label ?? []).map(labelOf) };
}

describe.each(['0.17', '0.23', '0.27'])('the pprof file of a recording with bpftrace %s', (version) => {
  it.each(['demo', 'sleepers', 'sleepers-no-stacks', 'deadlock', 'forks', 'oncpu', 'compat'])(
    '%s: has the totals of the JSON, and all ids exist',
    (name) => {
      const profile = recorded(version, name);
      const file = decoded(profile);
      expect(totalsOf(file)).toEqual(expectedTotals(profile));
      const ids = (rows: readonly { id: number | bigint }[]) => new Set(rows.map(({ id }) => Number(id)));
      const [locations, mappings, functions] = [ids(file.location), ids(file.mapping), ids(file.function)];
      expect(locations.size).toBe(file.location.length);
      expect(mappings.size).toBe(file.mapping.length);
      for (const { locationId, value } of file.sample) {
        expect(value).toHaveLength(file.sampleType.length);
        expect(locationId.length).toBeGreaterThan(0);
        expect(locationId.every((id) => locations.has(Number(id)))).toBe(true);
      }
      for (const { mappingId, line } of file.location) {
        expect(Number(mappingId) === 0 || mappings.has(Number(mappingId))).toBe(true);
        expect(line.every(({ functionId }) => functions.has(Number(functionId)))).toBe(true);
      }
    },
  );

  it('sleepers: file offsets are within their mappings', () => {
    const file = decoded(recorded(version, 'sleepers'));
    const mapped = file.location.filter(({ mappingId }) => Number(mappingId) > 0);
    const inFiles = mapped.filter(({ mappingId }) => byId(file.mapping, mappingId).memoryLimit);
    expect(inFiles.length).toBeGreaterThan(0);
    for (const { address, mappingId } of inFiles) {
      const { memoryStart, memoryLimit } = byId(file.mapping, mappingId);
      expect(BigInt(address) >= BigInt(memoryStart) && BigInt(address) < BigInt(memoryLimit)).toBe(true);
    }
  });
});

describe('a pprof file', () => {
  const profile = constructedProfile();
  const file = decoded(profile);
  const { text, linesOf, locationsOf, mapping, labels } = reader(file);

  it('has waits, samples and both totals, even beyond 2^32', () => {
    expect(totalsOf(file)).toEqual(expectedTotals(profile));
    expect(file.sampleType.map(({ type, unit }) => `${text(type)}/${text(unit)}`)).toEqual([
      ...['waits/count', 'offcpu/nanoseconds', 'open/nanoseconds', 'samples/count', 'cpu/nanoseconds'],
    ]);
    expect(text(file.defaultSampleType)).toBe('offcpu');
  });

  it('has only the values that were measured', () => {
    const { offcpu, oncpu } = profile.ebpf as Required<Profile['ebpf']>;
    const of = (ebpf: Profile['ebpf']) => decoded({ ...profile, ebpf });
    expect(totalsOf(of({ offcpu }))).toEqual(expectedTotals({ ...profile, ebpf: { offcpu } }));
    expect(totalsOf(of({ oncpu }))).toEqual(expectedTotals({ ...profile, ebpf: { oncpu } }));
    const cpu = of({ oncpu });
    expect(cpu.stringTable.strings[Number(cpu.defaultSampleType)]).toBe('cpu');
  });

  it('is exact to the ns beyond 2^53', () => {
    const offcpu = profile.ebpf.offcpu as Offcpu;
    const time_ns = 2 ** 60 + 2 ** 20;
    const stacks = offcpu.stacks.slice(0, 1).map((stack) => ({ ...stack, time_ns }));
    const long = { ...offcpu, stacks, still_blocked: [], total_time_ns: time_ns };
    expect(totalsOf(decoded({ ...profile, ebpf: { offcpu: long } })).offcpu).toBe(2n ** 60n + 2n ** 20n);
  });

  it('has inlined functions as lines of one location, the innermost first', () => {
    const [kernel, place, main] = locationsOf(file.sample[0]) as [Location, Location, Location];
    expect(linesOf(kernel)).toEqual(['futex_wait :0']);
    expect(linesOf(place)).toEqual(['innermost a.c:3', 'middle a.h:9', 'outer a.c:20']);
    expect(linesOf(main)).toEqual(['main a.c:40']);
    expect(place.address).toBe(0x401010);
  });

  it('has the address of the call for a caller, not its return address', () => {
    const [kernel, , main] = locationsOf(file.sample[0]) as [Location, Location, Location];
    expect(kernel.address).toBe(0xffffffff81000010n);
    expect(main.address).toBe(0x4010ff);
  });

  it('has one location per address and mapping, without a name if that is unknown', () => {
    const [a, b] = [file.sample[1], file.sample[2]].map((sample) => locationsOf(sample)[1]);
    expect(a?.address).toBe(b?.address);
    expect(a?.mappingId).not.toBe(b?.mappingId);
    expect([a?.line, b?.line]).toEqual([[], []]);
    const [first, second] = mapping('/usr/lib/libc.so.6');
    expect([first, second].map((of) => text(of?.buildId ?? 0))).toEqual(['1111', '2222']);
    expect(first).toMatchObject({ memoryStart: 0x7f0000000000n, memoryLimit: 0x7f0000100000n });
    expect(first).toMatchObject({ fileOffset: 0x26000, hasFunctions: false, hasFilenames: false });
  });

  it('describes mappings by what is known of all their frames; the program comes first', () => {
    const all = { hasFunctions: true, hasFilenames: true, hasLineNumbers: true, hasInlineFrames: true };
    expect(mapping('/opt/a/bin/server')).toEqual([expect.objectContaining(all)]);
    expect(text(file.mapping[0]?.filename ?? 0)).toBe('/opt/a/bin/server');
    for (const name of ['[kernel]', '[ext4]']) {
      expect(mapping(name)).toEqual([expect.objectContaining({ hasFunctions: true, hasFilenames: false })]);
    }
  });

  it('puts the program first even if no frame is in it', () => {
    const metadata = { ...profile.metadata, executable: '/bin/other' };
    const other = decoded({ ...profile, metadata });
    const [main] = other.mapping;
    expect(other.stringTable.strings[Number(main?.filename)]).toBe('/bin/other');
    expect(main).toMatchObject({ memoryStart: 0, memoryLimit: 0, hasFunctions: false });
  });

  it('has a location for waits without a stack', () => {
    expect(locationsOf(file.sample[3]).map(linesOf)).toEqual([['[no stack] :0']]);
  });

  it('has labels for thread, process and reason', () => {
    expect(labels(file.sample[0])).toEqual([
      ...[
        ['thread', '5:5'],
        ['comm', 'main?;?[0m'],
        ['pid', 5],
        ['tid', 5],
        ['reason', 'lock'],
      ],
    ]);
    expect(labels(file.sample[2])).toEqual([
      ['thread', '6:6'],
      ['pid', 6],
      ['tid', 6],
      ['reason', 'lock'],
      ['idle', 'true'],
    ]);
    const open = file.sample.find(({ value }) => value[2]);
    expect(labels(open)).toContainEqual(['comm', 'open;one']);
    expect(labels(file.sample.at(-1))).toContainEqual(['reason', 'on_cpu']);
  });

  it('has no control characters in its strings', () => {
    expect(file.stringTable.strings.join('')).not.toMatch(/\p{Cc}/u);
    expect(file.stringTable.strings).toContain('⏳ naïve::méthode<日本>');
    expect(FRAMES.some(({ symbol }) => symbol?.includes('\x1b'))).toBe(true);
  });

  it('contains the time, duration, command and version', () => {
    const { t0_ms, wall_time_ns } = profile.metadata;
    expect(BigInt(file.timeNanos)).toBe(BigInt(t0_ms) * 1_000_000n);
    expect(Number(file.durationNanos)).toBe(wall_time_ns);
    expect(file.comment.map((index) => text(index))).toEqual([
      'server --name a?b',
      expect.stringMatching(/^btprof .*, bpftrace /),
      expect.stringMatching(/: Linux .*, x86_64, \d+ CPUs$/),
    ]);
  });
});
